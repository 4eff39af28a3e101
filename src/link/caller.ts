import http2 from "node:http2";
import type { Duplex, Readable } from "node:stream";
import { type ErrorBody, fromErrorBody } from "#model/errors.ts";
import type { LinkIdentity } from "#model/link.ts";
import { keepAlive } from "./keep-alive.ts";
import { readJsonLines } from "./ndjson.ts";

/** Carries the code of an error, for answers without a body. */
export const codeHeader = "drover-code";
/** How long one call on the link may take before it counts as failed; streams may live on after their first byte. */
const callTimeoutMs = 15_000;
/** Most bytes of one JSON answer. */
const longestAnswerBytes = 64 * 2 ** 20;

export interface CallOptions {
  readonly body?: unknown;
  /** Bytes in place of JSON. */
  readonly upload?: Readable;
  readonly timeoutMs?: number;
}

/** The server's side of a link: calls what an agent or edge serves. Every failure is an Error; errors of the peer come as DroverError. */
export class Link {
  readonly identity: LinkIdentity;
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal;
  readonly #session: http2.ClientHttp2Session;

  constructor(socket: Duplex, identity: LinkIdentity) {
    this.identity = identity;
    const gone = new AbortController();
    this.signal = gone.signal;
    const session = http2.connect("http://link", {
      createConnection: () => socket,
      // Megabytes; the default of 10 refuses new calls while a large source is under way.
      maxSessionMemory: 64,
      settings: { initialWindowSize: 2 ** 20, enablePush: false },
    });
    session.on("connect", () => {
      // Closed before it was open, it connects all the same.
      if (!session.destroyed) session.setLocalWindowSize(4 * 2 ** 20);
    });
    this.#session = session;
    session.on("error", (error) => gone.abort(error));
    session.on("close", () => gone.abort(new Error("the link closed")));
    keepAlive(session);
  }

  /** One call with a JSON answer (null if it has none). */
  async call(method: string, path: string, signal: AbortSignal, options: CallOptions = {}): Promise<unknown> {
    const stream = await this.#request(method, path, signal, options);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > longestAnswerBytes) {
        stream.destroy();
        throw new RangeError(`the answer to ${method} ${path} is longer than ${longestAnswerBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return bytes === 0 ? null : JSON.parse(Buffer.concat(chunks).toString("utf8"));
  }

  /** One call whose answer is a stream of JSON lines. Leaving the loop cancels it. */
  async *lines(method: string, path: string, signal: AbortSignal, options: CallOptions = {}): AsyncGenerator<unknown, void, void> {
    const stream = await this.#request(method, path, signal, options);
    try {
      yield* readJsonLines(stream);
    } finally {
      stream.destroy();
    }
  }

  /** One call whose answer is bytes. Destroying the stream cancels it. */
  bytes(method: string, path: string, signal: AbortSignal, options: CallOptions = {}): Promise<Readable> {
    return this.#request(method, path, signal, options);
  }

  /** A call that streams both ways, once the peer has accepted it. */
  async duplex(method: string, path: string, signal: AbortSignal): Promise<Duplex> {
    return this.#open(method, path, signal, {}, false);
  }

  close(): void {
    this.#session.destroy();
  }

  async #request(method: string, path: string, signal: AbortSignal, options: CallOptions): Promise<http2.ClientHttp2Stream> {
    return this.#open(method, path, signal, options, true);
  }

  async #open(method: string, path: string, signal: AbortSignal, options: CallOptions, endBody: boolean): Promise<http2.ClientHttp2Stream> {
    this.signal.throwIfAborted();
    signal.throwIfAborted();
    const body = options.body === undefined ? null : Buffer.from(JSON.stringify(options.body));
    const stream = this.#session.request(
      { ":method": method, ":path": path, ...(body === null ? {} : { "content-type": "application/json" }) },
      { endStream: endBody && body === null && options.upload === undefined, signal: AbortSignal.any([signal, this.signal]) },
    );
    if (body !== null) stream.end(body);
    if (options.upload !== undefined) {
      options.upload.on("error", (error) => stream.destroy(error));
      options.upload.pipe(stream);
    }
    const { status, code } = await this.#firstAnswer(stream, `${method} ${path}`, options.timeoutMs ?? callTimeoutMs);
    if (status < 400) return stream;
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    if (chunks.length === 0) throw fromErrorBody({ code, message: `${method} ${path} was answered with ${status}` });
    throw fromErrorBody(JSON.parse(Buffer.concat(chunks).toString("utf8")) as ErrorBody);
  }

  #firstAnswer(
    stream: http2.ClientHttp2Stream,
    what: string,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly code: string }> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => stream.destroy(new Error(`no answer to ${what} within ${timeoutMs} ms`)), timeoutMs);
      stream.once("response", (headers) => {
        clearTimeout(timer);
        resolve({ status: headers[":status"] ?? 500, code: String(headers[codeHeader] ?? "INTERNAL") });
      });
      stream.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      stream.once("close", () => {
        clearTimeout(timer);
        reject(new Error(`the link closed during ${what}`));
      });
    });
  }
}
