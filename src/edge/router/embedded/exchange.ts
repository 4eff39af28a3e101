import { AnswerBody, bodyKind } from "./answer-body.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { EdgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import { lastChunk } from "./http/chunked.ts";
import { forwardedHead } from "./http/forwarded-head.ts";
import type { RequestHead } from "./http/request-head.ts";
import { ResponseHead } from "./http/response-head.ts";
import { InstanceSearch, type SearchUser } from "./instance-search.ts";
import type { Limits } from "./limits.ts";
import type { LiveRoute } from "./live-route.ts";
import { accessEntry } from "./policy/access-log.ts";
import { CompressedBody, type CompressedUser } from "./policy/compressed-body.ts";
import { type Coding, leastCompressed, planCompression } from "./policy/compression.ts";
import { namingLines, requestIdOf } from "./policy/request-ids.ts";
import { lateBody, RequestBody } from "./request-body.ts";
import { UpstreamNotTrusted } from "./tls/upstream-tls.ts";
import { UpstreamConnection, type UpstreamUser } from "./upstream-connection.ts";

/** Safe to send again when nothing of an answer has come (RFC 9110, section 9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
/** What nearly every head of an answer fits into. */
const shortHeadBytes = 2_048;
const lateAnswer = "the app did not answer in time";
const noAnswer = "the app closed the connection without an answer";

/** One request and its answer: finds an instance, sends the request there, and brings the answer back. */
export class Exchange implements UpstreamUser, SearchUser, CompressedUser {
  readonly #client: ClientConnection;
  readonly #route: LiveRoute;
  readonly #request: RequestHead;
  readonly #context: EdgeContext;
  readonly #startedAtMs: number;
  /** The edge's, with the route's own in their place. */
  readonly limits: Limits;
  /** Empty until it is sent to an instance for the first time. */
  #id = "";

  readonly #search: InstanceSearch;
  #upstream: UpstreamConnection | null = null;
  #isSent = false;
  #isOver = false;
  /** Whether an instance was there that is not who it should be. */
  #isDistrusted = false;

  /** Null: it has none. */
  readonly #body: RequestBody | null;
  #isRequestDone: boolean;

  readonly #answer = new ResponseHead();
  #answerHeadPart: Buffer | null = null;
  #interimAnswers = 0;
  /** Null: none, or all of it left with the head. */
  #answerBody: AnswerBody | null = null;
  #hasAnswered = false;
  /** Whether bytes that arrived just now went to the client as they are. */
  #handsOn = false;
  #keepsClient = false;
  #chunksForClient = false;
  #coding: Coding | null = null;
  #compressed: CompressedBody | null = null;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(client: ClientConnection, request: RequestHead, route: LiveRoute, context: EdgeContext, nowMs: number) {
    this.#client = client;
    this.#request = request;
    this.#route = route;
    this.#context = context;
    this.#startedAtMs = nowMs;
    this.limits = route.limits;
    this.#search = new InstanceSearch(route, request.kept, context, this);
    this.#body = request.hasBody ? new RequestBody(request, this.limits) : null;
    this.#isRequestDone = this.#body === null;
  }

  /** Whether body bytes of the request are still to come. */
  get wantsBody(): boolean {
    return !this.#isRequestDone;
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  start(): void {
    this.#search.next();
  }

  // The request.

  /** Takes what belongs to the body from `from` onwards and returns where that ends. */
  takeBody(bytes: Buffer, from: number): number {
    const body = this.#body;
    if (body === null) return from;
    const end = body.read(bytes, from);
    if (body.refusal !== null) {
      this.#refuse(body.refusal.status, body.refusal.reason);
      return end;
    }
    this.#isRequestDone = body.isDone;
    if (body.piece !== null) this.#sendBody(body.piece);
    return end;
  }

  #sendBody(piece: Buffer | string): void {
    const upstream = this.#upstream;
    this.#bytesIn += piece.length;
    if (!this.#isSent || upstream === null) {
      this.#body?.early.push(piece);
      if (!this.#isRequestDone) this.#client.pause();
      return;
    }
    if (typeof piece === "string") upstream.socket.write(piece, "latin1");
    else upstream.socket.write(piece);
    if (!this.#isRequestDone && upstream.socket.writableLength > this.limits.bufferBytes) this.#client.pause();
    if (this.#isRequestDone && !this.#hasAnswered) this.#client.allow(this.limits.answerMs);
  }

  /** The client can send no more of its body. */
  bodyEnded(): void {
    if (this.#hasAnswered) this.#breakOff();
    else this.#refuse(400, "the request ended before its body did");
  }

  // Finding an instance.

  onInstance(endpoint: Endpoint): void {
    // A connection that the app is closing loses what is sent on it. What can be sent again may risk that, the rest only right after use.
    const since = this.#canRepeat() ? Number.NEGATIVE_INFINITY : this.#context.clock.monotonicMs() - this.limits.upstreamFreshMs;
    const idle = endpoint.takeIdle(since, this.#route.upstreamTls);
    if (idle === null) {
      this.#upstream = new UpstreamConnection(endpoint, this, this.#context, { tls: this.#route.upstreamTls });
      return;
    }
    this.#upstream = idle;
    idle.take(this);
    this.onUpstreamReady();
  }

  #canRepeat(): boolean {
    return !this.#request.hasBody && idempotent.has(this.#request.method);
  }

  onNoInstance(): void {
    if (this.#isDistrusted) {
      this.#fail(502, "the app's certificate is not accepted");
      return;
    }
    const { process, app, space } = this.#route.route;
    this.#fail(503, `no instance of process "${process}" of app "${app}" in space "${space}" takes connections now`, {
      "retry-after": "2",
    });
  }

  // What the upstream connection says.

  onUpstreamReady(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    if (this.#id === "") this.#id = requestIdOf(this.#request, this.#client);
    const naming = namingLines(this.#id, this.#request, this.#route, this.#context.ids);
    const head = forwardedHead(this.#request, this.#client.identity + naming, this.#isRequestDone);
    this.#isSent = true;
    if (this.#body === null) upstream.socket.write(head, "latin1");
    else this.#body.follow(head, upstream.socket);
    if (this.#isRequestDone) this.#client.allow(this.limits.answerMs);
    else this.#client.unpause();
  }

  onUpstreamRefused(error: Error): void {
    const { endpoint } = this.#search;
    if (endpoint === null) return;
    if (error instanceof UpstreamNotTrusted) {
      this.#isDistrusted = true;
      // Waiting makes no instance another one.
      this.#search.neverWaits = true;
      this.#route.distrust(endpoint, error);
    }
    this.#upstream = null;
    this.#search.refused();
    // Nothing was sent, so any other instance may have the request.
    this.#search.next();
  }

  onUpstreamBytes(bytes: Buffer): boolean {
    this.#handsOn = false;
    if (this.#hasAnswered) this.#takeAnswerBody(bytes, 0);
    else this.#takeAnswerHead(bytes);
    return !this.#handsOn || this.#client.holdsNothing;
  }

  onUpstreamEnd(): void {
    if (this.#hasAnswered && this.#answerBody?.kind === "untilClose") {
      this.#finishAnswer(false);
      return;
    }
    this.onUpstreamClose();
  }

  onUpstreamClose(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    if (this.#hasAnswered) {
      this.#breakOff();
      return;
    }
    const hasNothing = this.#answerHeadPart === null && this.#interimAnswers === 0;
    const mayRepeat = this.#canRepeat() && hasNothing && this.#search.mayGoOn;
    upstream.destroy();
    if (!mayRepeat || !(upstream.wasUsed || this.#search.mayTryAnother())) {
      this.#fail(502, noAnswer);
      return;
    }
    if (upstream.wasUsed) this.#search.endpoint?.closeIdle();
    this.#isSent = false;
    this.#upstream = null;
    this.#search.leave();
    this.#search.next();
  }

  onUpstreamDrain(): void {
    if (this.#isRequestDone) return;
    this.#client.unpause();
  }

  // The answer.

  #takeAnswerHead(bytes: Buffer): void {
    const limits = this.limits;
    let input = this.#answerHeadPart === null ? bytes : Buffer.concat([this.#answerHeadPart, bytes]);
    for (;;) {
      const most = Math.min(input.length, limits.responseHeadBytes + limits.oneWriteBytes);
      // What is too much for one write is mostly body, and is not made text.
      let text = input.toString("latin1", 0, most > limits.oneWriteBytes ? Math.min(most, shortHeadBytes) : most);
      let end = text.indexOf("\r\n\r\n");
      if (end === -1 && text.length < most) {
        text = input.toString("latin1", 0, most);
        end = text.indexOf("\r\n\r\n");
      }
      if (end === -1 || end > limits.responseHeadBytes) {
        if (text.length > limits.responseHeadBytes) {
          this.#fail(502, "the app's answer has too long a head");
          return;
        }
        this.#answerHeadPart = Buffer.from(input);
        return;
      }
      const refused = this.#answer.read(text, end, this.#request.method, limits.headerLines);
      if (refused !== null) {
        this.#fail(502, refused.reason);
        return;
      }
      this.#answerHeadPart = null;
      if (this.#answer.status >= 200) {
        this.#startAnswer(input, text, end + 4);
        return;
      }
      if (this.#answer.status === 101) {
        this.#switchProtocols(Buffer.from(input.subarray(end + 4)));
        return;
      }
      if (++this.#interimAnswers > limits.interimAnswers) {
        this.#fail(502, "the app sent too many interim answers");
        return;
      }
      this.#passInterim();
      if (end + 4 === input.length) return;
      input = input.subarray(end + 4);
    }
  }

  #passInterim(): void {
    const { status, statusText, kept } = this.#answer;
    // HTTP/1.0 knows no interim answers, and nobody waits for a 100 that was not asked for.
    if (this.#request.minor === 0 || (status === 100 && !this.#request.expectsContinue)) return;
    this.#client.write(`HTTP/1.1 ${statusText}\r\n${kept}\r\n`);
  }

  #startAnswer(input: Buffer, text: string, bodyStart: number): void {
    const answer = this.#answer;
    const limits = this.limits;
    const { minor } = this.#request;
    this.#hasAnswered = true;
    this.#search.judge(answer.status >= 500);
    const kind = bodyKind(answer);
    const isOpenEnded = kind === "chunked" || kind === "untilClose";
    this.#chunksForClient = isOpenEnded && minor === 1;
    this.#keepsClient = this.#client.mayKeep && this.#request.keepAlive && this.#isRequestDone && !(isOpenEnded && minor === 0);
    const lines = isOpenEnded || answer.contentLength >= leastCompressed ? this.#planCompression() : answer.kept;
    const takesTrailers = kind === "chunked" && this.#client.takesTrailers;
    const head =
      `HTTP/1.1 ${answer.statusText}\r\n${lines}${this.#client.isSecure ? (this.#route.guard?.answerLines ?? "") : ""}${this.#search.cookie(this.#client.isSecure)}` +
      (this.#chunksForClient || this.#coding !== null ? "transfer-encoding: chunked\r\n" : "") +
      (takesTrailers && answer.trailer !== "" ? `trailer: ${answer.trailer}\r\n` : "") +
      (this.#keepsClient ? (minor === 0 ? "connection: keep-alive\r\n\r\n" : "\r\n") : "connection: close\r\n\r\n");
    const here = input.length - bodyStart;
    if (this.#coding === null && here === answer.contentLength && input.length === text.length) {
      // The common case: the whole answer is here, and leaves in one write.
      this.#write(here === 0 ? head : head + text.slice(bodyStart));
      this.#finishAnswer(true);
      return;
    }
    this.#answerBody = new AnswerBody(kind, answer.contentLength, this.#chunksForClient, limits.oneWriteBytes, takesTrailers);
    this.#client.cork();
    this.#write(head);
    if (this.#coding !== null) this.#compressed = new CompressedBody(this.#coding, isOpenEnded, limits.oneWriteBytes, this);
    if (kind === "none" || bodyStart < input.length) this.#takeAnswerBody(input, bodyStart);
    else this.#client.allow(limits.answerIdleMs);
    this.#client.uncork();
  }

  /** The answer's header lines, and in `coding` whether its body is to be compressed: only for who may get it in chunks. */
  #planCompression(): string {
    const { kept, status, contentLength } = this.#answer;
    if (!this.#route.compresses || this.#request.minor === 0) return kept;
    const plan = planCompression(this.#request.kept, { status, contentLength, kept });
    if (plan === null) return kept;
    this.#coding = plan.coding;
    // The chunks are made of what comes out of the compressor.
    if (plan.coding !== null) this.#chunksForClient = false;
    return plan.lines;
  }

  writeCompressed(chunk: Buffer | string): boolean {
    this.#bytesOut += chunk.length;
    this.#client.allow(this.limits.answerIdleMs);
    return this.#client.write(chunk);
  }

  onCompressDrain(): void {
    this.#upstream?.socket.resume();
  }

  onCompressedEnd(): void {
    this.#close();
  }

  onCompressFailed(): void {
    this.#breakOff();
  }

  #takeAnswerBody(bytes: Buffer, from: number): void {
    const body = this.#answerBody;
    // Its own bytes are all here: whose the further ones are, nobody can say.
    if (body === null) {
      this.#breakOff();
      return;
    }
    const end = body.read(bytes, from);
    if (body.hasFailed) {
      this.#breakOff();
      return;
    }
    for (const piece of body.pieces) this.#write(piece);
    if (body.isDone) this.#finishAnswer(end === bytes.length);
    else this.#client.allow(this.limits.answerIdleMs);
  }

  #write(piece: Buffer | string): void {
    if (this.#compressed !== null) {
      const own = typeof piece === "string" ? piece : Buffer.from(piece);
      if (!this.#compressed.write(own)) this.#upstream?.socket.pause();
      return;
    }
    this.#handsOn ||= typeof piece !== "string";
    this.#bytesOut += piece.length;
    if (this.#client.write(piece)) return;
    this.#upstream?.socket.pause();
  }

  /** The client takes more. */
  onClientDrain(): void {
    // What is in the compressor comes first; it asks for more by itself.
    if (this.#compressed !== null) this.#compressed.resume();
    else this.#upstream?.socket.resume();
  }

  #finishAnswer(upstreamIsClean: boolean): void {
    const endsByClosing = this.#answerBody?.kind === "untilClose";
    if (endsByClosing && this.#chunksForClient) this.#client.write(lastChunk);
    const upstream = this.#upstream;
    const limits = this.limits;
    if (upstream !== null) {
      const { keepAlive, keepForMs } = this.#answer;
      // A second of the app's own limit is left for what is under way.
      const idleMs = keepForMs === -1 ? limits.upstreamIdleMs : Math.min(limits.upstreamIdleMs, keepForMs - 1_000);
      if (upstreamIsClean && keepAlive && this.#isRequestDone && !endsByClosing && idleMs > 0) {
        upstream.socket.resume();
        upstream.release(idleMs);
      } else upstream.destroy();
    }
    if (this.#compressed === null) {
      this.#close();
      return;
    }
    // The app is done; what is left of its answer is in the compressor.
    this.#upstream = null;
    this.#search.leave();
    this.#compressed.end(this.#answerBody?.trailers ?? "");
  }

  #close(): void {
    this.#end(this.#answer.status);
    this.#client.exchangeDone(this.#keepsClient && this.#isRequestDone);
  }

  #switchProtocols(rest: Buffer): void {
    const upstream = this.#upstream;
    const { limits } = this;
    const { upgrade, kept } = this.#answer;
    const asked = this.#request.upgrade.toLowerCase();
    if (upstream === null || asked === "" || upgrade.toLowerCase() !== asked) {
      this.#fail(502, "the app switched to a protocol that was not asked for");
      return;
    }
    const cookie = this.#search.cookie(this.#client.isSecure);
    // From here on the tunnel owns the endpoint's open count.
    const endpoint = this.#search.handOver();
    this.#upstream = null;
    const head = `HTTP/1.1 101 Switching Protocols\r\n${kept}${cookie}connection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`;
    this.#end(101);
    this.#client.tunnel(upstream.detach(), head, rest, limits.tunnelIdleMs, () => endpoint?.end());
  }

  // Ends that are none.

  /** The time that the client allowed for what it waits for is over. */
  onDeadline(nowMs: number): void {
    if (this.#hasAnswered) this.#breakOff();
    else if (this.#upstream !== null && this.#upstream.socket.writableLength > 0)
      this.#fail(504, "the app did not take the request's body in time");
    else if (!this.#isRequestDone) this.#refuse(408, lateBody(this.limits, nowMs - this.#startedAtMs), true);
    else this.#fail(504, lateAnswer);
  }

  /** The client is gone. */
  abandon(): void {
    if (this.#isOver) return;
    this.#upstream?.destroy();
    // Leaving is the client's right and says nothing about the app.
    this.#end(this.#hasAnswered ? this.#answer.status : 499);
  }

  /** The request turned out to be no good, after some of it was sent. */
  #refuse(status: number, reason: string, isTold = false): void {
    if (this.#isOver) return;
    this.#upstream?.destroy();
    if (this.#hasAnswered) {
      this.#breakOff();
      return;
    }
    this.#end(status, isTold ? reason : undefined);
    this.#client.answerItself({ status, message: reason }, false);
  }

  #fail(status: number, reason: string, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#isOver) return;
    this.#search.judge(true);
    const named = this.#id === "" ? headers : { ...headers, "x-request-id": this.#id };
    this.#upstream?.destroy();
    this.#end(status);
    const { process, app, space } = this.#route.route;
    const message = status === 503 ? reason : `${reason} (process "${process}" of app "${app}" in space "${space}")`;
    this.#client.answerItself({ status, message, headers: named }, this.#isRequestDone);
  }

  /** An answer that was begun cannot be finished: only a cut connection tells the client. */
  #breakOff(): void {
    if (this.#isOver) return;
    this.#upstream?.destroy();
    this.#end(0);
    this.#client.destroy();
  }

  /** @param reason told in the access log, in which the request then is */
  #end(status: number, reason?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#compressed?.destroy();
    if (status >= 500 || status === 0 || reason !== undefined || this.#route.logShare > 0) this.#log(status, reason);
    this.#upstream = null;
    this.#search.end(status, this.#context.clock.monotonicMs() - this.#startedAtMs, this.#bytesIn, this.#bytesOut);
  }

  /** Failures always, the others by the route's share. */
  #log(status: number, reason?: string): void {
    const { access, random, clock } = this.#context;
    if (status !== 0 && status < 500 && reason === undefined && random() >= this.#route.logShare) return;
    const [id, request, bytesIn, bytesOut] = [this.#id, this.#request, this.#bytesIn, this.#bytesOut];
    const { target, endpoint } = this.#search;
    const tookMs = clock.monotonicMs() - this.#startedAtMs;
    const [route, client] = [this.#route.route.id, this.#client.address];
    access.record(() => accessEntry({ id, client, request, status, reason, tookMs, bytesIn, bytesOut, route, target, endpoint }));
  }
}
