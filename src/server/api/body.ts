import type { IncomingMessage, ServerResponse } from "node:http";
import { type Readable, Transform } from "node:stream";
import { DroverError } from "#model/errors.ts";

/** How long what is left of a body may come once its request is answered. */
const discardMs = 10_000;

export function tooLarge(maxBytes: number): DroverError {
  return new DroverError("BODY_TOO_LARGE", `the body is over ${maxBytes} bytes`, { hint: "Send less at once." });
}

/** The whole body. @throws {DroverError} BODY_TOO_LARGE as soon as that is known; TIMED_OUT when it trickles in. */
export function bodyBytes(stream: Readable, maxBytes: number, announcedBytes: number, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => {
      finish(() => reject(new DroverError("TIMED_OUT", `the body did not arrive within ${timeoutMs} ms`, { hint: "Try again." })));
    }, timeoutMs);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      stream.removeListener("data", onData).removeListener("end", onEnd).removeListener("error", onError).removeListener("close", onClose);
      settle();
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= maxBytes) return;
      stream.pause();
      finish(() => reject(tooLarge(maxBytes)));
    };
    const onEnd = () => finish(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)));
    const onError = (error: Error) => finish(() => reject(error));
    const onClose = () => finish(() => reject(new Error("the caller went away in the middle of the body")));
    if (announcedBytes > maxBytes) finish(() => reject(tooLarge(maxBytes)));
    else stream.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose);
  });
}

/** The same bytes, up to a limit; past it the stream fails with BODY_TOO_LARGE. */
export function limitBytes(stream: Readable, maxBytes: number, announcedBytes: number): Readable {
  if (announcedBytes > maxBytes) throw tooLarge(maxBytes);
  let bytes = 0;
  const limit = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      done(bytes > maxBytes ? tooLarge(maxBytes) : null, chunk);
    },
  });
  stream.on("error", (error) => limit.destroy(error));
  stream.once("close", () => {
    if (!stream.readableEnded) limit.destroy(new Error("the caller went away in the middle of the body"));
  });
  return stream.pipe(limit);
}

/** Takes what is left of a body that is answered, and nobody reads: most clients send all of it before they look for the answer. Whoever never ends is cut off. */
export function discardRest(request: IncomingMessage, response: ServerResponse): void {
  const discard = () => {
    if (request.complete || request.destroyed) return;
    const cut = setTimeout(() => request.socket.destroy(), discardMs);
    request.once("end", () => clearTimeout(cut)).once("close", () => clearTimeout(cut));
    request.unpipe().resume();
  };
  if (response.writableFinished) discard();
  else response.once("finish", discard);
}
