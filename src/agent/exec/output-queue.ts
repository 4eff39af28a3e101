import type { Readable } from "node:stream";
import type { ExecSession } from "../engines/engine.ts";

type Output = ExecSession["output"] extends AsyncIterable<infer Item> ? Item : never;

/** What one session may have waiting for a slow reader; past it the command feels back-pressure. */
const mostWaitingBytes = 256 * 1024;

/** Merges a command's streams in the order in which they are read. */
export class OutputQueue implements AsyncIterable<Output> {
  readonly #sources = new Set<Readable>();
  #waiting: Output[] = [];
  #bytes = 0;
  #wake: (() => void) | null = null;

  /** Takes all of `source`. Call for every source before the first is read to its end. */
  add(stream: Output["stream"], source: Readable): void {
    this.#sources.add(source);
    source.on("data", (bytes: Buffer) => {
      this.#waiting.push({ stream, bytes });
      this.#bytes += bytes.length;
      if (this.#bytes >= mostWaitingBytes) for (const each of this.#sources) each.pause();
      this.#wake?.();
    });
    // A stream that fails is one that has ended: what came before it counts, and the exit status tells the rest.
    for (const event of ["close", "error"] as const) source.once(event, () => this.#end(source));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Output, void, void> {
    for (;;) {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting;
        this.#waiting = [];
        this.#bytes = 0;
        for (const source of this.#sources) source.resume();
        yield* batch;
      }
      if (this.#sources.size === 0) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #end(source: Readable): void {
    this.#sources.delete(source);
    this.#wake?.();
  }
}
