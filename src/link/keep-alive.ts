import type http2 from "node:http2";

/** A peer that is gone without a word is found within `intervalMs * (mostMissed + 1)`. */
const intervalMs = 1_000;
const mostMissed = 5;

/** Nothing was heard of the peer for so long that it counts as gone. */
export class PeerSilent extends Error {
  readonly silentMs = intervalMs * mostMissed;

  constructor() {
    super(`the peer did not answer a ping within ${intervalMs * mostMissed} ms`);
  }
}

/**
 * Pings the peer as long as the session lives and destroys the session when an answer stays out. Missed beats are counted, not milliseconds: a process
 * that was stopped for a while itself must not take its own silence for that of all its peers.
 */
export function keepAlive(session: http2.Http2Session): void {
  let isWaiting = false;
  let missed = 0;
  const timer = setInterval(() => {
    if (session.destroyed || session.closed) return;
    if (isWaiting) {
      missed++;
      if (missed >= mostMissed) session.destroy(new PeerSilent());
      return;
    }
    isWaiting = session.ping(() => {
      isWaiting = false;
      missed = 0;
    });
  }, intervalMs);
  session.once("close", () => clearInterval(timer));
}
