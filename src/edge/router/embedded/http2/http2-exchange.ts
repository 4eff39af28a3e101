import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  Http2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Stream,
} from "node:http2";
import type { Choice, LiveTarget } from "../choice.ts";
import type { EdgeContext } from "../context.ts";
import type { Timed } from "../deadlines.ts";
import type { Endpoint } from "../endpoint.ts";
import type { HeldRequest } from "../held-requests.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { LiveRoute } from "../live-route.ts";

const cancel = 8;
const internalError = 2;
const refusedStream = 7;
const endStreamFlag = 1;
/** Of the edge's own, or of one connection alone. */
const neverPassed = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "http2-settings"]);

/** One request and its answer from HTTP/2 to HTTP/2, both ways at once, with trailers: what gRPC needs. */
export class Http2Exchange implements HeldRequest, Timed {
  heldUntilMs = 0;
  deadlineMs: number;
  readonly #stream: ServerHttp2Stream;
  readonly #request: RequestHead;
  readonly #identity: string;
  readonly #hasBody: boolean;
  readonly #route: LiveRoute;
  readonly #context: EdgeContext;
  readonly #startedAtMs: number;
  #target: LiveTarget | null = null;
  #endpoint: Endpoint | null = null;
  #upstream: ClientHttp2Stream | null = null;
  #tried: readonly Endpoint[] = [];
  #isHeld = false;
  #isOver = false;
  #isReset = false;
  #status = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #seen = -1;
  /** Of the request. */
  #trailers: OutgoingHttpHeaders = {};

  /** @param identity header lines of the edge's own, each with its CRLF */
  constructor(options: {
    readonly stream: ServerHttp2Stream;
    readonly request: RequestHead;
    readonly identity: string;
    readonly hasBody: boolean;
    readonly route: LiveRoute;
    readonly context: EdgeContext;
  }) {
    this.#stream = options.stream;
    this.#request = options.request;
    this.#identity = options.identity;
    this.#hasBody = options.hasBody;
    this.#route = options.route;
    this.#context = options.context;
    this.#startedAtMs = options.context.clock.monotonicMs();
    this.deadlineMs = this.#startedAtMs + options.context.limits.answerMs;
    options.context.deadlines.add(this);
    options.stream.on("error", () => {}); // What broke it does not matter to anyone: "close" follows.
    options.stream.on("close", () => this.#closed());
    // They may come before there is an instance to send them to.
    options.stream.on("trailers", (received) => (this.#trailers = passed(received)));
    void this.#attempt();
  }

  async #attempt(): Promise<void> {
    this.#isHeld = false;
    const { limits, clock } = this.#context;
    const choice = this.#tried.length >= limits.attempts ? null : this.#route.choose(this.#tried);
    if (choice === null) {
      this.#hold();
      return;
    }
    this.#take(choice);
    try {
      const session = await this.#context.http2.open(choice.endpoint);
      if (!this.#isOver) this.#send(session);
    } catch {
      // That it takes no connections is what the next attempt, and in the end the answer, are about.
      choice.endpoint.ejectedUntilMs = clock.monotonicMs() + limits.ejectMs;
      if (this.#isOver) return;
      this.#tried = [...this.#tried, choice.endpoint];
      this.#leave();
      void this.#attempt();
    }
  }

  #take({ target, endpoint }: Choice): void {
    this.#target = target;
    this.#endpoint = endpoint;
    endpoint.begin();
  }

  #leave(): void {
    const endpoint = this.#endpoint;
    this.#endpoint = null;
    if (endpoint === null) return;
    endpoint.end();
    this.#context.http2.release(endpoint);
  }

  #hold(): void {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.heldUntilMs === 0) this.heldUntilMs = nowMs + this.#context.limits.holdMs;
    if (nowMs >= this.heldUntilMs || !this.#route.held.add(this)) this.giveUp();
    else this.#isHeld = true;
  }

  resume(): void {
    this.#tried = [];
    void this.#attempt();
  }

  giveUp(): void {
    this.#isHeld = false;
    this.#target ??= this.#route.heaviest();
    this.#answer(503);
  }

  /** Time is up: no answer came, or nothing passed for too long. */
  onDeadline(nowMs: number): void {
    const seen = this.#bytesIn + this.#bytesOut;
    if (this.#status !== 0 && seen !== this.#seen) {
      this.#seen = seen;
      this.deadlineMs = nowMs + this.#context.limits.tunnelIdleMs;
    } else if (this.#status === 0) this.#answer(504);
    else this.#reset(cancel);
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
    stream.on("data", (bytes: Buffer) => (this.#bytesIn += bytes.length));
    pipe(stream, upstream);
  }

  /** As the strict reader understood the request, and what the edge itself says of the client. */
  #headers(): OutgoingHttpHeaders {
    const { method, target, host, kept } = this.#request;
    const headers: Record<string, string | string[]> = { ":method": method, ":path": target, ":scheme": "http", ":authority": host.header };
    for (const line of `${kept}${this.#identity}x-forwarded-host: ${host.header}\r\nte: trailers\r\n`.split("\r\n")) {
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
    this.deadlineMs = this.#context.clock.monotonicMs() + this.#context.limits.tunnelIdleMs;
    const isWhole = (flags & endStreamFlag) !== 0;
    stream.respond({ ":status": this.#status, ...passed(headers) }, { endStream: isWhole, waitForTrailers: !isWhole });
    if (isWhole) return;
    let trailers: OutgoingHttpHeaders = {};
    upstream.on("trailers", (received) => (trailers = passed(received)));
    stream.on("wantTrailers", () => {
      if (!this.#isReset) stream.sendTrailers(trailers);
    });
    upstream.on("data", (bytes: Buffer) => (this.#bytesOut += bytes.length));
    pipe(upstream, stream);
  }

  #upstreamClosed(upstream: ClientHttp2Stream): void {
    if (this.#isOver) return;
    if (this.#status === 0) {
      // Refused before it was looked at: safe to ask another one, if the request has no body that is gone by now.
      if (upstream.rstCode === refusedStream && !this.#hasBody && this.#endpoint !== null) {
        this.#tried = [...this.#tried, this.#endpoint];
        this.#upstream = null;
        this.#leave();
        void this.#attempt();
      } else this.#answer(502);
    } else if (upstream.rstCode !== 0) this.#reset(upstream.rstCode);
    else if (!upstream.readableEnded) this.#reset(internalError);
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
    this.#stream.respond({ ":status": status, "content-length": 0, "cache-control": "no-store" }, { endStream: true });
    if (this.#hasBody) this.#stream.close(0);
  }

  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#context.deadlines.delete(this);
    if (this.#isHeld) this.#route.held.delete(this);
    if (this.#upstream !== null && !this.#upstream.closed) this.#upstream.close(cancel);
    if (this.#target !== null) {
      const { counters } = this.#target;
      // 499: the client left before there was an answer, which says nothing about the app.
      counters.count(this.#status === 0 ? 499 : this.#status, this.#context.clock.monotonicMs() - this.#startedAtMs);
      counters.bytesIn += this.#bytesIn;
      counters.bytesOut += this.#bytesOut;
    }
    this.#leave();
  }
}

/** Back-pressure passes through. What was reset has an end too, but none that the other side may take for a whole message. */
function pipe(from: Http2Stream, to: Http2Stream): void {
  from.pipe(to, { end: false });
  from.on("end", () => {
    if (from.rstCode === 0 && !to.destroyed) to.end();
  });
}

function passed(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name, value]) => !name.startsWith(":") && !neverPassed.has(name) && value !== undefined),
  );
}
