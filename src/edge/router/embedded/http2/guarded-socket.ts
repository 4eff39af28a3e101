import { Duplex } from "node:stream";
import type { FrameGuard, Violation } from "./frame-guard.ts";

/** A socket whose incoming frames are looked at on their way. */
export class GuardedSocket extends Duplex {
  readonly #socket: Duplex;
  #written: ((error?: Error | null) => void) | null = null;

  /**
   * @param first what has been read of the socket already
   * @param onViolation told once; the bytes that broke a rule, and those after, are not passed on
   */
  constructor(socket: Duplex, first: Buffer | null, guard: FrameGuard, onViolation: (code: Violation) => void) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    let isBroken = false;
    const take = (bytes: Buffer) => {
      if (isBroken) return;
      const passed = guard.take(bytes);
      if (typeof passed === "number") {
        isBroken = true;
        onViolation(passed);
        return;
      }
      let takesMore = true;
      for (const piece of passed) takesMore = this.push(piece);
      if (!takesMore) socket.pause();
    };
    if (first !== null) take(first);
    socket.on("data", take);
    socket.on("end", () => this.push(null));
    socket.on("drain", () => this.#drained());
    // What broke it does not matter to anyone: "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket.write(chunk)) done();
    else this.#written = done;
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const { chunk } of chunks.slice(0, -1)) this.#socket.write(chunk);
    const last = chunks.at(-1);
    if (last === undefined) done();
    else this._write(last.chunk, "latin1", done);
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // What was said last, such as why the connection ends, is still to leave.
    if (this.#socket.writableLength > 0 && !this.#socket.destroyed) this.#socket.end(() => this.#socket.destroy());
    else this.#socket.destroy();
    this.#drained();
    done(error);
  }

  #drained(): void {
    const written = this.#written;
    this.#written = null;
    written?.();
  }
}
