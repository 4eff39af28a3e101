import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  Http2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Stream,
} from "node:http2";
import type { EdgeContext } from "../context.ts";
import type { Timed } from "../deadlines.ts";
import type { Endpoint } from "../endpoint.ts";
import type { RequestHead } from "../http/request-head.ts";
import { isPassedTrailer } from "../http/trailers.ts";
import { InstanceSearch, type SearchUser } from "../instance-search.ts";
import type { Limits } from "../limits.ts";
import type { LiveRoute } from "../live-route.ts";
import { accessEntry } from "../policy/access-log.ts";
import type { Compressor } from "../policy/compression.ts";
import { namingLines, requestIdOf } from "../policy/request-ids.ts";
import { compressAnswer, planAnswer } from "./compressed-answer.ts";

const cancel = 8;
const internalError = 2;
const refusedStream = 7;
const endStreamFlag = 1;
/** Of the edge's own, or of one connection alone. */
const neverPassed = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "http2-settings"]);

/** Who asks, as the connection knows it. */
export interface Http2Client {
  /** Header lines of the edge's own, each with its CRLF. */
  readonly identity: string;
  readonly address: string;
  readonly isSecure: boolean;
  newRequestId(): string;
}

/** One request and its answer from HTTP/2 to HTTP/2, both ways at once, with trailers: what gRPC needs. */
export class Http2Exchange implements SearchUser, Timed {
  deadlineMs: number;
  readonly #stream: ServerHttp2Stream;
  readonly #request: RequestHead;
  readonly #client: Http2Client;
  readonly #id: string;
  readonly #hasBody: boolean;
  readonly #route: LiveRoute;
  readonly #context: EdgeContext;
  readonly #startedAtMs: number;
  readonly #limits: Limits;
  readonly #search: InstanceSearch;
  /** When it has to be over, whatever happens meanwhile. */
  readonly #endsMs: number;
  #upstream: ClientHttp2Stream | null = null;
  #isOver = false;
  #isReset = false;
  #status = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  /** Bytes of an answer that went into the compressor. */
  #taken = 0;
  #compressor: Compressor | null = null;
  #seen = -1;
  /** Of the request. */
  #trailers: OutgoingHttpHeaders = {};

  constructor(options: {
    readonly stream: ServerHttp2Stream;
    readonly request: RequestHead;
    readonly client: Http2Client;
    readonly hasBody: boolean;
    readonly route: LiveRoute;
    readonly context: EdgeContext;
  }) {
    this.#stream = options.stream;
    this.#request = options.request;
    this.#client = options.client;
    this.#id = requestIdOf(options.request, options.client);
    this.#hasBody = options.hasBody;
    this.#route = options.route;
    this.#context = options.context;
    this.#startedAtMs = options.context.clock.monotonicMs();
    this.#limits = options.route.limits;
    this.#endsMs = this.#startedAtMs + this.#limits.requestMs;
    this.deadlineMs = Math.min(this.#endsMs, this.#startedAtMs + this.#limits.answerMs);
    this.#search = new InstanceSearch(options.route, options.request.kept, options.context, this);
    options.context.deadlines.add(this);
    options.stream.on("error", () => {}); // What broke it does not matter to anyone: "close" follows.
    options.stream.on("close", () => this.#closed());
    // They may come before there is an instance to send them to.
    options.stream.on("trailers", (received) => (this.#trailers = passedTrailers(received)));
    this.#search.next();
  }

  onInstance(endpoint: Endpoint): void {
    void this.#open(endpoint);
  }

  async #open(endpoint: Endpoint): Promise<void> {
    const { http2 } = this.#context;
    try {
      const session = await http2.open(endpoint);
      if (!this.#isOver) this.#send(session);
    } catch {
      // That it takes no connections is what the next attempt, and in the end the answer, are about.
      if (this.#isOver) return;
      this.#search.refused();
      http2.release(endpoint);
      this.#search.next();
    }
  }

  onNoInstance(): void {
    this.#answer(503);
  }

  /** Time is up: no answer came, or nothing passed for too long. */
  onDeadline(nowMs: number): void {
    const seen = this.#bytesIn + this.#taken + this.#bytesOut;
    if (this.#status === 0) this.#answer(504);
    else if (nowMs < this.#endsMs && seen !== this.#seen) {
      this.#seen = seen;
      this.deadlineMs = Math.min(this.#endsMs, nowMs + this.#limits.tunnelIdleMs);
    } else this.#reset(cancel);
  }

  #send(session: ClientHttp2Session): void {
    const stream = this.#stream;
    let upstream: ClientHttp2Stream;
    try {
      upstream = session.request(this.#headers(), { endStream: !this.#hasBody, waitForTrailers: this.#hasBody });
    } catch {
      // The connection ended between the look and the request: the answer says so, and the client may ask again.
      this.#answer(502);
      return;
    }
    this.#upstream = upstream;
    upstream.on("error", () => {}); // "close" follows.
    upstream.on("headers", (headers) => this.#interim(headers));
    upstream.on("response", (headers, flags) => this.#respond(upstream, headers, flags));
    upstream.on("close", () => this.#upstreamClosed(upstream));
    if (!this.#hasBody) return;
    upstream.on("wantTrailers", () => {
      if (!this.#isOver) upstream.sendTrailers(this.#trailers);
    });
    stream.on("data", (bytes: Buffer) => {
      this.#bytesIn += bytes.length;
      if (this.#bytesIn > this.#limits.bodyBytes) this.#tooLarge();
    });
    pipe(stream, upstream);
  }

  /** As the strict reader understood the request, and what the edge itself says of the client. */
  #headers(): OutgoingHttpHeaders {
    const { method, target, host, kept } = this.#request;
    const headers: Record<string, string | string[]> = { ":method": method, ":path": target, ":scheme": "http", ":authority": host.header };
    const naming = namingLines(this.#id, this.#request, this.#route, this.#context.ids);
    for (const line of `${kept}${this.#client.identity}${naming}x-forwarded-host: ${host.header}\r\nte: trailers\r\n`.split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon === -1) continue;
      const name = line.slice(0, colon).toLowerCase();
      if (neverPassed.has(name)) continue;
      const known = headers[name];
      const value = line.slice(colon + 1).trim();
      headers[name] = known === undefined ? value : [known, value].flat();
    }
    return headers;
  }

  #interim(headers: IncomingHttpHeaders & { readonly ":status"?: number | undefined }): void {
    const status = headers[":status"] ?? 0;
    if (!this.#stream.destroyed && !this.#stream.headersSent && status > 100 && status < 200)
      this.#stream.additionalHeaders(passed(headers));
  }

  #respond(upstream: ClientHttp2Stream, headers: IncomingHttpHeaders & { readonly ":status"?: number | undefined }, flags: number): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.headersSent) return;
    this.#status = headers[":status"] ?? 502;
    this.#search.judge(this.#status >= 500);
    this.deadlineMs = Math.min(this.#endsMs, this.#context.clock.monotonicMs() + this.#limits.tunnelIdleMs);
    const isWhole = (flags & endStreamFlag) !== 0;
    const all = { ...passed(headers), ...this.#own(headers) };
    const mayCompress = this.#route.compresses && !isWhole && this.#request.method !== "HEAD";
    const plan = mayCompress ? planAnswer(this.#request.kept, this.#status, headers, all) : null;
    stream.respond({ ":status": this.#status, ...(plan?.headers ?? all) }, { endStream: isWhole, waitForTrailers: !isWhole });
    if (isWhole) return;
    let trailers: OutgoingHttpHeaders = {};
    upstream.on("trailers", (received) => (trailers = passedTrailers(received)));
    stream.on("wantTrailers", () => {
      if (!this.#isReset) stream.sendTrailers(trailers);
    });
    if (plan === null || plan.coding === null) {
      upstream.on("data", (bytes: Buffer) => (this.#bytesOut += bytes.length));
      pipe(upstream, stream);
      return;
    }
    const { coding, isOpenEnded } = plan;
    const user = {
      onTaken: (bytes: number) => (this.#taken += bytes),
      onSent: (bytes: number) => (this.#bytesOut += bytes),
      onFailed: () => this.#reset(internalError),
    };
    this.#compressor = compressAnswer(upstream, stream, { coding, isOpenEnded }, user);
  }

  #upstreamClosed(upstream: ClientHttp2Stream): void {
    if (this.#isOver) return;
    if (this.#status === 0) {
      // Refused before it was looked at: safe to ask another one, if the request has no body that is gone by now.
      const { endpoint } = this.#search;
      if (upstream.rstCode === refusedStream && !this.#hasBody && endpoint !== null) {
        this.#upstream = null;
        this.#search.passOver();
        this.#context.http2.release(endpoint);
        this.#search.next();
      } else this.#answer(502);
    } else if (upstream.rstCode !== 0) this.#reset(upstream.rstCode);
    else if (!upstream.readableEnded) this.#reset(internalError);
  }

  /** What the route adds to the answer: the client's way back to its instance, and that it is to stay with TLS. */
  #own(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
    const { isSecure } = this.#client;
    const cookie = this.#search.cookie(isSecure);
    const lines = isSecure ? (this.#route.guard?.answerLines ?? "") : "";
    return {
      ...(cookie === "" ? {} : { "set-cookie": [...(headers["set-cookie"] ?? []), lineValue(cookie)] }),
      ...(lines === "" ? {} : { "strict-transport-security": lineValue(lines) }),
    };
  }

  /** More than the route takes: an answer says so if there is none yet. */
  #tooLarge(): void {
    if (this.#status === 0) this.#answer(413);
    else this.#reset(cancel);
    this.#upstream?.close(cancel);
  }

  /** Closing asks for trailers first, and with these the answer would look whole. */
  #reset(code: number): void {
    this.#isReset = true;
    this.#stream.close(code);
  }

  /** An answer of the edge's own. Clients of gRPC read the status of HTTP as their own UNAVAILABLE. */
  #answer(status: number): void {
    if (this.#isOver || this.#stream.destroyed || this.#stream.headersSent) return;
    this.#status = status;
    if (status >= 500) this.#search.judge(true);
    this.#stream.respond({ ":status": status, "content-length": 0, "cache-control": "no-store" }, { endStream: true });
    if (this.#hasBody) this.#stream.close(0);
  }

  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#context.deadlines.delete(this);
    this.#compressor?.destroy();
    if (this.#upstream !== null && !this.#upstream.closed) this.#upstream.close(cancel);
    // 499: the client left before there was an answer, which says nothing about the app.
    const status = this.#status === 0 ? 499 : this.#status;
    const tookMs = this.#context.clock.monotonicMs() - this.#startedAtMs;
    const { endpoint } = this.#search;
    if (status >= 500 || this.#route.logShare > 0) this.#log(status, tookMs);
    this.#search.end(status, tookMs, this.#bytesIn, this.#bytesOut);
    if (endpoint !== null) this.#context.http2.release(endpoint);
  }

  /** Failures always, the others by the route's share. */
  #log(status: number, tookMs: number): void {
    const { access, random } = this.#context;
    if (status < 500 && random() >= this.#route.logShare) return;
    const [id, request, bytesIn, bytesOut] = [this.#id, this.#request, this.#bytesIn, this.#bytesOut];
    const { target, endpoint } = this.#search;
    const route = this.#route.route.id;
    access.record(() =>
      accessEntry({ id, client: this.#client.address, request, status, tookMs, bytesIn, bytesOut, route, target, endpoint }),
    );
  }
}

/** The value of one header line. */
function lineValue(line: string): string {
  return line.slice(line.indexOf(":") + 1).trim();
}

/** Back-pressure passes through. What was reset has an end too, but none that the other side may take for a whole message. */
function pipe(from: Http2Stream, to: Http2Stream): void {
  from.pipe(to, { end: false });
  from.on("end", () => {
    if (from.rstCode === 0 && !to.destroyed) to.end();
  });
}

/** No framing, and nothing that says who the client is, comes in behind the checks of a head. */
function passedTrailers(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => isPassedTrailer(name) && value !== undefined));
}

function passed(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name, value]) => !name.startsWith(":") && !neverPassed.has(name) && value !== undefined),
  );
}
