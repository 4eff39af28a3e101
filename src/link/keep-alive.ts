import type http2 from "node:http2";

/** A peer that is gone without a word is found within `intervalMs + timeoutMs`. */
const intervalMs = 3_000;
const timeoutMs = 5_000;

/** Pings the peer as long as the session lives and destroys the session when an answer stays out. */
export function keepAlive(session: http2.Http2Session): void {
  let waiting: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    if (session.destroyed || session.closed || waiting !== undefined) return;
    waiting = setTimeout(() => session.destroy(new Error(`the peer did not answer a ping within ${timeoutMs} ms`)), timeoutMs);
    const sent = session.ping(() => {
      clearTimeout(waiting);
      waiting = undefined;
    });
    if (!sent) {
      clearTimeout(waiting);
      waiting = undefined;
    }
  }, intervalMs);
  session.once("close", () => {
    clearInterval(timer);
    clearTimeout(waiting);
  });
}
