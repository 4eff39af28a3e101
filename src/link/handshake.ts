import type { Duplex } from "node:stream";

/** A hello or welcome is a few hundred bytes; anything longer is no peer of ours. */
const longestGreetingBytes = 8_192;
/** How long a peer may take to greet, so that a silent connection holds nothing. */
export const greetingTimeoutMs = 5_000;

/**
 * Reads one line of JSON off a connection and leaves everything after it unread.
 * @throws {Error} if the line is too long, is no JSON, does not come in time, or the connection ends first.
 */
export function readGreeting(socket: Duplex, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = Buffer.alloc(0);
    const timer = setTimeout(
      () => finish(() => reject(new Error(`the peer did not greet within ${greetingTimeoutMs} ms`))),
      greetingTimeoutMs,
    );
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.off("readable", onReadable);
      socket.off("error", onError);
      socket.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onReadable = () => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        const end = chunk.indexOf(10);
        if (end !== -1 && end + 1 < chunk.length) socket.unshift(chunk.subarray(end + 1));
        text = Buffer.concat([text, end === -1 ? chunk : chunk.subarray(0, end)]);
        if (text.length > longestGreetingBytes) return finish(() => reject(new RangeError("the peer's greeting is too long")));
        if (end === -1) continue;
        return finish(() => {
          try {
            resolve(JSON.parse(text.toString("utf8")));
          } catch (error) {
            reject(new Error("the peer's greeting is no JSON", { cause: error }));
          }
        });
      }
    };
    const onError = (error: Error) => finish(() => reject(error));
    const onClose = () => finish(() => reject(new Error("the peer closed the connection before it greeted")));
    const onAbort = () => finish(() => reject(signal.reason));
    if (signal.aborted) return onAbort();
    socket.on("readable", onReadable);
    socket.once("error", onError);
    socket.once("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Writes one line of JSON. Resolves when the system has it: HTTP/2 takes the connection over from Node's streams, and a write of theirs that ended
 * only then would end the process (an assertion of Node's, over TLS).
 */
export function writeGreeting(socket: Duplex, greeting: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(`${JSON.stringify(greeting)}\n`, (error) => (error ? reject(error) : resolve()));
  });
}
