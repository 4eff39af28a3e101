import net from "node:net";

/** A status line and headers; a probe needs no more of the answer than its first line. */
const longestHeadBytes = 16_384;

/**
 * The status code that `path` answers with, over one connection of its own: a few lines in place of `node:http`, which costs memory that an idle
 * agent does not need, and would keep connections that a draining instance waits for.
 * @throws {Error} if nothing answers in time, or what answers does not speak HTTP.
 */
export function httpStatus(host: string, port: number, path: string, timeoutMs: number, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = "";
    const socket = net.connect({ host, port, noDelay: true });
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const timer = setTimeout(() => finish(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs);
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.setEncoding("latin1");
    socket.once("connect", () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUser-Agent: drover-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n`),
    );
    socket.on("data", (chunk: string) => {
      head += chunk;
      const line = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n/.exec(head);
      if (line !== null) finish(() => resolve(Number(line[1])));
      else if (head.includes("\n") || head.length > longestHeadBytes) finish(() => reject(new Error("the answer is not HTTP")));
    });
    socket.once("error", (error) => finish(() => reject(error)));
    socket.once("end", () => finish(() => reject(new Error("the connection ended without an answer"))));
  });
}

/** Resolves when a connection is accepted. @throws {Error} if none is in time. */
export function tcpConnect(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const timer = setTimeout(() => finish(() => reject(new Error(`no connection within ${timeoutMs} ms`))), timeoutMs);
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => finish(resolve));
    socket.once("error", (error) => finish(() => reject(error)));
  });
}
