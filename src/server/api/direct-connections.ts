import { type IncomingHttpHeaders, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { Log } from "#model/log.ts";
import { type Answering, answersWhole, splitTarget } from "./answer-request.ts";
import type { Asked } from "./asked.ts";
import { tooLarge } from "./body.ts";
import type { FoundRoute, RouteTable } from "./route-table.ts";
import type { WholeAnswer } from "./whole-answer.ts";
import { type Fields, readWholeRequest, type WholeRequest } from "./whole-request.ts";

export interface DirectConnectionsOptions {
  readonly table: RouteTable;
  readonly answerWhole: Answering["answerWhole"];
  /** Goes on with a connection as Node's own server: what was read of it is on the socket again. */
  readonly handOver: (socket: Socket) => void;
  readonly log: Log;
  readonly maxHeadBytes: number;
  /** How long a new connection may stay silent. */
  readonly firstRequestMs: number;
  /** How long one waits for the next request. */
  readonly keepAliveMs: number;
}

/**
 * Connections whose requests come in one piece and are answered in one: most of what programs ask. They are read and written on their sockets, which
 * costs a third of what Node's server does for the same. With the first request that is anything else (in pieces, pipelined, a stream, an
 * upgrade, unknown or malformed) a connection becomes one of Node's server for good.
 */
export class DirectConnections {
  readonly options: DirectConnectionsOptions;
  readonly open = new Set<DirectConnection>();
  #isStopping = false;

  constructor(options: DirectConnectionsOptions) {
    this.options = options;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  take(socket: Socket): void {
    this.open.add(new DirectConnection(socket, this));
  }

  /** Ends those that wait for a request, and the others once they have their answer. */
  stop(): void {
    this.#isStopping = true;
    for (const connection of this.open) connection.endIfIdle();
  }

  destroy(): void {
    for (const connection of this.open) connection.destroy();
  }
}

class DirectConnection {
  readonly #socket: Socket;
  readonly #all: DirectConnections;
  /** Of the last request. */
  #fields: Fields | null = null;
  /** From a request until its answer is taken. */
  #isBusy = false;
  #hasAnswered = false;
  /** The other side sends no more. */
  #isEnding = false;
  /** What came while a request was being answered. */
  #next: Buffer | null = null;
  /** The one that is being answered. */
  #request: DirectRequest | null = null;

  constructor(socket: Socket, all: DirectConnections) {
    this.#socket = socket;
    this.#all = all;
    socket.setTimeout(all.options.firstRequestMs);
    socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("timeout", this.#onTimeout)
      .on("error", this.#onError)
      .on("close", this.#onClose);
  }

  endIfIdle(): void {
    if (!this.#isBusy) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#isBusy) {
      this.#next = this.#next === null ? bytes : Buffer.concat([this.#next, bytes]);
      this.#socket.pause();
      return;
    }
    const request = readWholeRequest(bytes, this.#fields, this.#all.options.maxHeadBytes);
    const found = request === null ? null : this.#find(request);
    if (request === null || found === null) this.#handOver(bytes);
    else void this.#answer(request, found);
  };

  readonly #onEnd = (): void => {
    this.#isEnding = true;
    this.endIfIdle();
  };

  readonly #onTimeout = (): void => {
    if (!this.#isBusy) this.#socket.destroy();
  };

  readonly #onError = (error: Error): void => {
    this.#all.options.log.debug("connection failed", { error: error.message });
  };

  readonly #onClose = (): void => {
    this.#all.open.delete(this);
    this.#request?.abort();
  };

  /** Null for what is not answered as a whole, or refused: that is told the same way whoever reads the request. */
  #find({ method, url }: WholeRequest): FoundRoute | null {
    try {
      const found = this.#all.options.table.find(method, splitTarget(url)[0]);
      return answersWhole(found.route) ? found : null;
    } catch {
      return null;
    }
  }

  async #answer(request: WholeRequest, found: FoundRoute): Promise<void> {
    this.#isBusy = true;
    this.#fields = request.fields;
    this.#request = new DirectRequest(request);
    const answer = await this.#all.options.answerWhole(found, this.#request);
    this.#request = null;
    if (this.#socket.destroyed) return;
    const isLast = this.#isOver() || answer.headers["connection"] === "close";
    const isSent = this.#send(answer, isLast);
    if (isLast) this.#socket.end();
    else if (isSent) this.#goOn();
    else this.#socket.once("drain", () => this.#goOn());
  }

  /** False while the other side is slow to read. */
  #send({ status, headers, body }: WholeAnswer, isLast: boolean): boolean {
    const socket = this.#socket;
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
    head += `date: ${httpDate()}\r\n${isLast ? "connection: close" : `keep-alive: timeout=${this.#all.options.keepAliveMs / 1_000}`}\r\n\r\n`;
    if (body === null || typeof body === "string") return socket.write(head + (body ?? ""));
    socket.cork();
    socket.write(head);
    const isSent = socket.write(body);
    socket.uncork();
    return isSent;
  }

  #goOn(): void {
    this.#isBusy = false;
    if (!this.#hasAnswered) this.#socket.setTimeout(this.#all.options.keepAliveMs);
    this.#hasAnswered = true;
    const next = this.#next;
    this.#next = null;
    if (this.#socket.isPaused()) this.#socket.resume();
    if (next !== null) this.#onData(next);
    else if (this.#isOver()) this.#socket.end();
  }

  /** Nothing more is asked, or answered. */
  #isOver(): boolean {
    return this.#all.isStopping || (this.#isEnding && this.#next === null);
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    this.#all.open.delete(this);
    socket.setTimeout(0);
    socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("timeout", this.#onTimeout)
      .off("error", this.#onError)
      .off("close", this.#onClose);
    // Paused until whoever takes it listens, so that nothing of it comes too early.
    socket.pause();
    socket.unshift(bytes);
    this.#all.options.handOver(socket);
    process.nextTick(() => socket.resume());
  }
}

class DirectRequest implements Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly #body: Buffer;
  #isGone = false;
  #gone: AbortController | null = null;

  constructor({ method, url, fields, body }: WholeRequest) {
    this.method = method;
    this.url = url;
    this.headers = fields.headers;
    this.#body = body;
  }

  async bytes(maxBytes: number): Promise<Buffer> {
    if (this.#body.length > maxBytes) throw tooLarge(maxBytes);
    return this.#body;
  }

  stream(): Readable {
    throw new Error("a route that says that its body is whole reads a stream");
  }

  goneOr(others: readonly AbortSignal[]): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#isGone) this.abort();
    return AbortSignal.any([this.#gone.signal, ...others]);
  }

  /** The caller goes away. */
  abort(): void {
    this.#isGone = true;
    this.#gone?.abort(new Error("the caller went away"));
  }
}

let date = { second: 0, text: "" };

/** The present time as `Date` says it (RFC 9110, 5.6.7). */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (date.second !== second) date = { second, text: new Date(second * 1_000).toUTCString() };
  return date.text;
}
