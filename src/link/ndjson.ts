import type { Readable, Writable } from "node:stream";

/** Longest line read: a routing table or a snapshot of 10,000 instances fits several times. */
export const longestLineBytes = 64 * 2 ** 20;

/**
 * The JSON values of a stream that has one a line. Empty lines are heartbeats and are passed over.
 * @throws {Error} on a line that is no JSON or is too long, and on whatever ends the stream early.
 */
export async function* readJsonLines(stream: Readable, maxLineBytes = longestLineBytes): AsyncGenerator<unknown, void, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, end);
      from = end + 1;
      const line = pendingBytes === 0 ? piece : Buffer.concat([...pending, piece]);
      pending = [];
      pendingBytes = 0;
      if (line.length > 0) yield JSON.parse(line.toString("utf8"));
    }
    if (from < chunk.length) {
      pending.push(chunk.subarray(from));
      pendingBytes += chunk.length - from;
      if (pendingBytes > maxLineBytes) throw new RangeError(`a line is longer than ${maxLineBytes} bytes`);
    }
  }
  if (pendingBytes > 0) throw new Error("the stream ended in the middle of a line");
}

/** Writes one value a line with back-pressure; resolves when all is handed over. Rejects when the stream closes first or the signal aborts. */
export async function writeJsonLines(stream: Writable, values: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  for await (const value of values) {
    signal.throwIfAborted();
    if (!stream.write(`${JSON.stringify(value)}\n`)) await drained(stream, signal);
  }
}

/** Resolves when `stream` takes more; rejects when it closes first or the signal aborts. */
export function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => () => {
      stream.off("drain", onDrain);
      stream.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(new Error("the stream closed before it took all")));
    const onAbort = settle(() => reject(signal.reason));
    if (stream.destroyed || signal.aborted) return signal.aborted ? reject(signal.reason) : reject(new Error("the stream is closed"));
    stream.once("drain", onDrain);
    stream.once("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
