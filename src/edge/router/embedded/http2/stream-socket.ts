import type { ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import type { EdgeContext } from "../context.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { LiveRoute } from "../live-route.ts";
import { type AnswerHead, AnswerReader, type AnswerSink } from "./answer-reader.ts";
import { type Http2Client, Http2Exchange } from "./http2-exchange.ts";
import type { RequestText } from "./request-text.ts";

/** Codes of RFC 9113, section 7. */
const noError = 0;
const internalError = 2;

/**
 * One request of HTTP/2 as a connection of HTTP/1.1 that carries this request alone: what is read is its text, what is written is the answer's.
 * So every rule, limit and counter of requests has one implementation. Back-pressure passes through both ways.
 */
export class StreamSocket extends Duplex implements AnswerSink {
  readonly remoteAddress: string | undefined;
  bytesRead = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #answer: AnswerReader;
  readonly #isChunked: boolean;
  #hasEnded: boolean;
  #isAnswered = false;
  #endsWithTrailers = false;
  /** Of the answer. */
  #trailers: Readonly<Record<string, string | string[]>> = {};
  /** The write that waits for the client to take what was written. */
  #written: (() => void) | null = null;
  #isFull = false;

  readonly #context: EdgeContext;
  readonly #hasBody: boolean;
  #isPassedOn = false;

  constructor(
    stream: ServerHttp2Stream,
    { head, method, isChunked }: RequestText,
    hasBody: boolean,
    remoteAddress: string | undefined,
    context: EdgeContext,
  ) {
    super({ allowHalfOpen: true });
    this.remoteAddress = remoteAddress;
    this.#stream = stream;
    this.#answer = new AnswerReader(this, method);
    this.#isChunked = isChunked;
    this.#hasEnded = !hasBody;
    this.#hasBody = hasBody;
    this.#context = context;
    stream.on("drain", () => this.#drained());
    // What broke it does not matter to anyone: "close" follows.
    stream.on("error", () => {});
    stream.on("close", () => this.destroy());
    this.push(head, "latin1");
    // The head alone comes first: whoever reads it may want the stream as it is.
    this.once("data", () => process.nextTick(() => this.#startBody()));
  }

  passOn(route: LiveRoute, request: RequestHead, client: Http2Client): void {
    this.#isPassedOn = true;
    new Http2Exchange({ stream: this.#stream, request, client, hasBody: this.#hasBody, route, context: this.#context });
  }

  #startBody(): void {
    if (this.#isPassedOn || this.#stream.destroyed) return;
    this.#stream.on("data", (bytes: Buffer) => this.#takeBody(bytes));
    this.#stream.on("end", () => this.#endBody());
  }

  override _read(): void {
    if (!this.#isPassedOn && this.#stream.listenerCount("data") > 0) this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#isFull = false;
    this.#answer.take(chunk);
    if (this.#isFull && !this.#stream.destroyed) this.#written = done;
    else done();
  }

  override _final(done: () => void): void {
    // An answer that has no end of its own would have been broken off by `destroy`.
    this.#finish();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // What still waits for its trailers would be closed without them.
    if (!this.#stream.closed && !(this.#isAnswered && this.#endsWithTrailers))
      this.#stream.close(this.#isAnswered ? noError : internalError);
    this.#drained();
    done(error);
  }

  onHead({ status, headers, hasBody, mayHaveTrailers }: AnswerHead): void {
    if (this.#stream.destroyed || this.#stream.headersSent) return;
    // Switching protocols is a thing of HTTP/1, and no request here asks for it.
    if (status < 200) {
      if (status !== 101) this.#stream.additionalHeaders({ ":status": status, ...headers });
      return;
    }
    this.#stream.respond({ ":status": status, ...headers }, { endStream: !hasBody, waitForTrailers: mayHaveTrailers });
    if (!mayHaveTrailers) return;
    this.#endsWithTrailers = true;
    this.#stream.on("wantTrailers", () => {
      // Closing asks for them too, and with them an answer that broke off would look whole.
      if (!this.#isAnswered || this.#stream.destroyed) return;
      this.#stream.sendTrailers(this.#trailers);
      // Only once they have left: nghttp2 forgets what waits on a stream that is reset.
      if (!this.#hasEnded) setImmediate(() => this.#stream.close(noError));
    });
  }

  onBody(bytes: Buffer): void {
    if (!this.#stream.destroyed && !this.#stream.write(bytes)) this.#isFull = true;
  }

  onEnd(trailers: Readonly<Record<string, string | string[]>>): void {
    this.#trailers = trailers;
    this.#finish();
  }

  #finish(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (!this.#stream.destroyed) {
      this.#stream.end();
      // The rest of a request that was answered before its end is of no use to anyone (RFC 9113, section 8.1).
      if (!this.#hasEnded && !this.#endsWithTrailers) this.#stream.close(noError);
    }
    if (!this.readableEnded && !this.destroyed) this.push(null);
  }

  #drained(): void {
    const written = this.#written;
    this.#written = null;
    written?.();
  }

  #takeBody(bytes: Buffer): void {
    if (this.#isAnswered || this.destroyed) return;
    this.bytesRead += bytes.length;
    if (this.#isChunked) this.push(`${bytes.length.toString(16)}\r\n`, "latin1");
    let takesMore = this.push(bytes);
    if (this.#isChunked) takesMore = this.push("\r\n", "latin1");
    if (!takesMore) this.#stream.pause();
  }

  #endBody(): void {
    if (this.#hasEnded || this.#isAnswered || this.destroyed) return;
    this.#hasEnded = true;
    if (this.#isChunked) this.push("0\r\n\r\n", "latin1");
  }
}
