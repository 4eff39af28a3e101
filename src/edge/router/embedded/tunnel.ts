import type { Duplex } from "node:stream";
import type { EdgeContext } from "./context.ts";
import type { Timed } from "./deadlines.ts";

export interface TunnelEnd extends Duplex {
  readonly bytesRead: number;
}

/**
 * Bytes both ways between two sockets until both sides have ended, or either breaks: back-pressure and half-close pass through. The sockets must
 * have no listeners of others left, and allow half-open.
 */
export class Tunnel implements Timed {
  deadlineMs: number;
  readonly #context: Pick<EdgeContext, "clock" | "deadlines">;
  readonly #a: TunnelEnd;
  readonly #b: TunnelEnd;
  readonly #idleMs: number;
  readonly #onClose: () => void;
  #bytes = 0;
  #isClosed = false;

  /** @param idleMs how long no byte may pass either way; `Infinity` for ever. */
  constructor(a: TunnelEnd, b: TunnelEnd, idleMs: number, context: Pick<EdgeContext, "clock" | "deadlines">, onClose: () => void) {
    this.#a = a;
    this.#b = b;
    this.#idleMs = idleMs;
    this.#context = context;
    this.#onClose = onClose;
    this.deadlineMs = context.clock.monotonicMs() + idleMs;
    context.deadlines.add(this);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => {
        // Ended both ways is a clean close, whose last bytes are still on their way; anything else is a break.
        if (!from.readableEnded || !from.writableFinished) to.destroy();
        if (a.destroyed && b.destroyed) this.#close();
      });
      from.pipe(to);
    }
    a.resume();
    b.resume();
    if (a.destroyed || b.destroyed) this.destroy();
  }

  destroy(): void {
    this.#a.destroy();
    this.#b.destroy();
    this.#close();
  }

  onDeadline(nowMs: number): void {
    const bytes = this.#a.bytesRead + this.#b.bytesRead;
    if (bytes === this.#bytes) {
      this.destroy();
      return;
    }
    // Measured only now and then: counting each byte's time would cost more than the tunnel.
    this.#bytes = bytes;
    this.deadlineMs = nowMs + this.#idleMs;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#context.deadlines.delete(this);
    this.#onClose();
  }
}
