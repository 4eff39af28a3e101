import { type Readable, Transform } from "node:stream";
import { DroverError } from "#model/errors.ts";

function tooLarge(maxBytes: number): DroverError {
  return new DroverError("BODY_TOO_LARGE", `the body is over ${maxBytes} bytes`, { hint: "Send less at once." });
}

/** The whole body. @throws {DroverError} BODY_TOO_LARGE as soon as that is known; TIMED_OUT when it trickles in. */
export function bodyBytes(
  stream: Readable,
  maxBytes: number,
  announcedBytes: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(
      () => finish(() => reject(new DroverError("TIMED_OUT", `the body did not arrive within ${timeoutMs} ms`, { hint: "Try again." }))),
      timeoutMs,
    );
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      stream.removeAllListeners("data");
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    if (announcedBytes > maxBytes) return finish(() => reject(tooLarge(maxBytes)));
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        stream.pause();
        finish(() => reject(tooLarge(maxBytes)));
      } else chunks.push(chunk);
    });
    stream.once("end", () => finish(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes))));
    stream.once("error", (error) => finish(() => reject(error)));
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
