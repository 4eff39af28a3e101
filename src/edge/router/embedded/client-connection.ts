import net from "node:net";
import type { Duplex } from "node:stream";
import type { IdleConnections } from "../router.ts";
import { BodyPace } from "./body-pace.ts";
import type { AskedRequest } from "./conditions.ts";
import type { EdgeContext } from "./context.ts";
import type { Timed } from "./deadlines.ts";
import { Exchange } from "./exchange.ts";
import type { Refusal } from "./http/refusal.ts";
import { RequestHead } from "./http/request-head.ts";
import type { Http2Client } from "./http2/http2-exchange.ts";
import type { LiveRoute } from "./live-route.ts";
import { type Page, renderPage } from "./pages.ts";
import { guardPage, isMisdirected, misdirected } from "./tls/guard.ts";
import type { Security } from "./tls/security.ts";
import { Tunnel } from "./tunnel.ts";

/** Says where requests of a listener go. */
export type FindRoute = (host: string, path: string, request: AskedRequest) => LiveRoute | null;

/** What a connection of HTTP/1.1 comes in on: a socket, or what looks like one. */
export interface ClientSocket extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly bytesRead: number;
  /** Hands the request that has been read from it to an app that speaks HTTP/2; left out where it did not come by HTTP/2. */
  passOn?(route: LiveRoute, request: RequestHead, client: Http2Client): void;
}

/** What a connection needs from the listener that it came in on. */
export interface ClientOwner {
  readonly findRoute: FindRoute;
  /** What authorities are answered at `/.well-known/acme-challenge/`, by token; null where and while there is nothing. */
  readonly challenges: ReadonlyMap<string, string> | null;
  onClientClose(client: ClientConnection): void;
  onTunnel(tunnel: Tunnel): void;
  onTunnelClose(tunnel: Tunnel): void;
  /** The client speaks HTTP/2 on a connection without TLS, and began with these bytes; left out where that cannot be. */
  onHttp2?(socket: ClientSocket, bytes: Buffer): void;
}

const challengePath = "/.well-known/acme-challenge/";
/** What a client sends first that knows that HTTP/2 is spoken here (RFC 9113, section 3.3). */
const http2Preface = "PRI * HTTP/2.0\r\n\r\n";
const http2Only: Page = { status: 426, message: "the app speaks HTTP/2 alone", headers: { upgrade: "h2c" } };
const cutHead: Refusal = { status: 400, reason: "the request ended before its head did" };

const socketEvents = ["data", "end", "drain", "error", "close"] as const;
type SocketListeners = { readonly [E in (typeof socketEvents)[number]]: E extends "data" ? (bytes: Buffer) => void : () => void };

type State = "idle" | "head" | "exchange" | "lingering" | "gone";

/** One connection of a client: takes its requests one after another, however they are cut into packets, and answers in their order. */
export class ClientConnection implements Timed {
  deadlineMs: number;
  /** The lines that say who the client is; the same for all its requests, unless a trusted proxy says something else with each. */
  identity: string;
  /** The client's, as far as it is known. */
  address: string;

  readonly #socket: ClientSocket;
  readonly #listeners: SocketListeners;
  readonly #isPlain: boolean;
  readonly #owner: ClientOwner;
  readonly #context: EdgeContext;
  readonly #security: Security | null;
  readonly #peer: string;
  readonly #name: string;
  #requests = 0;
  /** Whether a trusted proxy said that the client came over TLS. */
  #isProxySecure = false;
  readonly #request = new RequestHead();
  #state: State = "idle";
  #exchange: Exchange | null = null;
  /** Of the last request that had a body. */
  #pace: BodyPace | null = null;
  /** What has arrived and could not be used yet. */
  #pending: Buffer | null = null;
  #isServing = false;
  #isPaused = false;
  #waitsForDrain = false;
  #closesAfter = false;
  #keepsPromise = false;
  #hasEnded = false;
  #lingered = 0;
  /** When the request has to be over, whatever happens meanwhile. */
  #endsMs = Number.POSITIVE_INFINITY;
  /** What the client had not taken of the last answer when that was last looked at. */
  #unread = 0;

  /**
   * @param security null for plain HTTP
   * @param source the client's address, if a proxy in front said it by the PROXY protocol
   */
  constructor(
    socket: ClientSocket,
    owner: ClientOwner,
    context: EdgeContext,
    security: Security | null = null,
    source: string | null = null,
  ) {
    this.#socket = socket;
    this.#isPlain = socket instanceof net.Socket && security === null;
    this.#owner = owner;
    this.#context = context;
    this.#security = security;
    this.#peer = source ?? (socket.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
    this.#name = context.ids.span();
    this.address = this.#peer;
    this.identity = this.#identify(this.#peer, this.#peer, security === null ? "http" : "https");
    this.#request.isFromProxy = context.trusted?.has(this.#peer) ?? false;
    // A connection that never sends anything is let go as early as one that sends its head slowly.
    this.deadlineMs = context.clock.monotonicMs() + context.limits.headMs;
    context.deadlines.add(this);
    this.#listeners = {
      data: (bytes) => this.#onBytes(bytes),
      end: () => this.#onEnd(),
      drain: () => this.#onDrain(),
      // What broke it does not matter to anyone: "close" follows.
      error: () => {},
      close: () => this.#onClose(),
    };
    for (const event of socketEvents) socket.on(event, this.#listeners[event]);
  }

  // For the exchange.

  /** Unlike any other, and cheap: what is random in it is the connection's. */
  newRequestId(): string {
    return `${this.#name}-${++this.#requests}`;
  }

  get isSecure(): boolean {
    return this.#security !== null || this.#isProxySecure;
  }

  /** Whether trailers of an answer are not lost on it: HTTP/2 has a place for them, and HTTP/1.1 where the client says so. */
  get takesTrailers(): boolean {
    return this.#request.minor === 1 && (this.#request.takesTrailers || this.#socket.passOn !== undefined);
  }

  /** Whether another request may follow the one that is being answered. */
  get mayKeep(): boolean {
    return !this.#closesAfter && (!this.#hasEnded || this.#pending !== null);
  }

  /** False if the client takes it slower than it comes; `onClientDrain` says when to go on. */
  write(piece: Buffer | string): boolean {
    if (typeof piece === "string") this.#socket.write(piece, "latin1");
    else this.#socket.write(piece);
    if (this.#socket.writableLength <= this.#context.limits.bufferBytes) return true;
    this.#waitsForDrain = true;
    return false;
  }

  /** Whether all that was written to it has been copied or sent. Over TLS and HTTP/2 nobody can say. */
  get holdsNothing(): boolean {
    return this.#isPlain && this.#socket.writableLength === 0;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
    this.#pace?.pause(this.#context.clock.monotonicMs());
    this.#awaitBody();
  }

  unpause(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
    this.#pace?.resume(this.#context.clock.monotonicMs());
    this.#awaitBody();
  }

  /** Time from now until the exchange has to show progress. */
  allow(ms: number): void {
    const { clock, limits } = this.#context;
    this.deadlineMs = Math.min(this.#endsMs, clock.monotonicMs() + (this.#hasEnded ? Math.min(ms, limits.halfClosedMs) : ms));
  }

  /** Sets by when more of the body under way has to come. */
  #awaitBody(): void {
    if (!this.#exchange?.wantsBody || this.#pace === null) return;
    // An app that has begun its answer knows how long it listens.
    if (this.#exchange.hasAnswered) this.allow(this.#exchange.limits.bodyIdleMs);
    else this.deadlineMs = Math.min(this.#endsMs, this.#pace.deadlineMs);
  }

  exchangeDone(keepsConnection: boolean): void {
    this.#exchange = null;
    this.#endsMs = Number.POSITIVE_INFINITY;
    if (this.#state === "gone") return;
    if (!keepsConnection || (!this.mayKeep && !this.#keepsPromise) || (this.#hasEnded && this.#pending === null)) {
      this.#linger();
      return;
    }
    this.#becomeIdle();
    if (this.#pending !== null && !this.#isServing) this.#serve();
  }

  /** Answers with a page of the edge's own. */
  answerItself(page: Page, keepsConnection: boolean): void {
    if (this.#state === "gone") return;
    const { method, minor, kept, keepAlive } = this.#request;
    const keeps = keepsConnection && keepAlive && this.mayKeep;
    const wantsHtml = /(?:^|\n)accept:[^\r]*text\/html/i.test(kept);
    const connection = keeps ? (minor === 0 ? "keep-alive" : "") : "close";
    this.write(renderPage(page, { wantsHtml, withBody: method !== "HEAD", connection, nowMs: this.#context.clock.nowMs() }));
    this.exchangeDone(keeps);
  }

  /** Hands the connection over to bytes both ways. */
  tunnel(upstream: net.Socket, head: string, rest: Buffer, idleMs: number, onClose: () => void): void {
    const socket = this.#socket;
    this.#exchange = null;
    this.#leave();
    for (const event of socketEvents) socket.off(event, this.#listeners[event]);
    socket.write(head, "latin1");
    if (rest.length > 0) socket.write(rest);
    if (this.#pending !== null) upstream.write(this.#pending);
    this.#pending = null;
    if (this.#hasEnded) upstream.end();
    const tunnel = new Tunnel(socket, upstream, idleMs, this.#context, () => {
      onClose();
      this.#owner.onTunnelClose(tunnel);
    });
    this.#owner.onTunnel(tunnel);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // For the listener.

  /** No further request but, with `answer`, the one that an idle connection or an answer under way has been promised. */
  closeGently(idle: IdleConnections): void {
    this.#closesAfter = true;
    this.#keepsPromise = idle === "answer";
    if (this.#state === "idle" && !this.#keepsPromise) this.#linger();
  }

  onDeadline(nowMs: number): void {
    switch (this.#state) {
      case "exchange":
        this.#exchange?.onDeadline(nowMs);
        return;
      case "head":
        this.#refuse({ status: 408, reason: "the request's head did not arrive in time" });
        return;
      case "idle":
      case "lingering":
        if (this.#state === "idle" && this.#socket.writableLength === 0) this.#linger();
        // The last answer may still be on its way to a slow reader; only one that takes nothing at all is cut.
        else if (this.#socket.writableLength === this.#unread) this.destroy();
        else this.allow(this.#context.limits.bodyIdleMs);
        this.#unread = this.#socket.writableLength;
        return;
      case "gone":
        return;
      default:
        this.#state satisfies never;
    }
  }

  // What the socket says.

  #onBytes(bytes: Buffer): void {
    if (this.#state === "lingering") {
      this.#lingered += bytes.length;
      if (this.#lingered > this.#context.limits.lingerBytes) this.destroy();
      return;
    }
    if (this.#state !== "exchange") {
      this.#pending = this.#pending === null ? bytes : Buffer.concat([this.#pending, bytes]);
      this.#serve();
      return;
    }
    let used = 0;
    if (this.#exchange?.wantsBody) {
      this.#pace?.took(bytes.length, this.#context.clock.monotonicMs());
      this.#awaitBody();
      used = this.#exchange.takeBody(bytes, 0);
      if (used === bytes.length || (this.#state as State) === "gone" || (this.#state as State) === "lingering") return;
    }
    // The next request, ahead of its turn.
    const rest = bytes.subarray(used);
    this.#pending = this.#pending === null ? rest : Buffer.concat([this.#pending, rest]);
    if (this.#pending.length > this.#context.limits.bufferBytes) this.pause();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#state === "exchange") {
      if (this.#exchange?.wantsBody) this.#exchange.bodyEnded();
      else this.allow(this.#context.limits.halfClosedMs);
    } else if (this.#state === "head") this.#refuse(cutHead);
    // A second end makes an error, which costs more than the whole answer.
    else if (!this.#socket.writableEnded) this.#socket.end();
    if (this.#state === "idle" || this.#state === "lingering") this.#becomeLingering();
  }

  #onDrain(): void {
    if (!this.#waitsForDrain) return;
    this.#waitsForDrain = false;
    if (this.#exchange !== null) this.#exchange.onClientDrain();
    else if (this.#pending !== null && this.#state !== "lingering") this.#serve();
  }

  #onClose(): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#leave();
    exchange?.abandon();
  }

  #leave(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#context.deadlines.delete(this);
    this.#owner.onClientClose(this);
  }

  // Requests.

  /** Takes requests off what has arrived until one has to wait. */
  #serve(): void {
    this.#isServing = true;
    // An answer that the client does not read holds back the next one, or pipelining would fill the memory.
    while (this.#pending !== null && this.#exchange === null && !this.#waitsForDrain && (this.#state === "idle" || this.#state === "head"))
      if (!this.#readHead(this.#pending)) break;
    this.#isServing = false;
    if (this.#hasEnded && this.#state === "head") this.#refuse(cutHead);
    if (this.#exchange === null && !this.#waitsForDrain) this.unpause();
  }

  /** False if more has to arrive first. */
  #readHead(input: Buffer): boolean {
    const { limits, clock } = this.#context;
    const text = input.toString("latin1", 0, Math.min(input.length, limits.requestHeadBytes + 4));
    const end = text.indexOf("\r\n\r\n");
    if (end === -1) {
      const refused = this.#judgePart(text);
      if (refused !== null) this.#refuse(refused);
      else if (this.#state === "idle") {
        this.#state = "head";
        this.deadlineMs = clock.monotonicMs() + limits.headMs;
      }
      return false;
    }
    const refused = this.#request.read(text, 0, end, limits);
    if (refused !== null) {
      if (this.#owner.onHttp2 !== undefined && text.startsWith(http2Preface)) this.#becomeHttp2(input);
      else this.#refuse(refused);
      return false;
    }
    this.#pending = null;
    this.#begin(input, end + 4);
    return true;
  }

  #begin(input: Buffer, bodyStart: number): void {
    const { host, path, hasBody } = this.#request;
    this.#state = "exchange";
    if (this.#request.isFromProxy) this.#believeProxy();
    const route = this.#owner.findRoute(host.name, path, this.#request);
    const isPlain = this.#security === null && this.#owner.challenges === null;
    const page = isPlain && route !== null && route.guard === null && route.gate === null ? null : this.#ownAnswer(route, bodyStart);
    if (route === null || page !== null) {
      if (bodyStart < input.length && !hasBody) this.#pending = input.subarray(bodyStart);
      this.answerItself(page ?? this.#nothingHere(), !hasBody);
      return;
    }
    if (route.speaksHttp2) {
      this.#passHttp2(route);
      return;
    }
    const nowMs = this.#context.clock.monotonicMs();
    const exchange = new Exchange(this, this.#request, route, this.#context, nowMs);
    this.#exchange = exchange;
    this.#endsMs = nowMs + exchange.limits.requestMs;
    let used = bodyStart;
    if (hasBody) {
      this.#pace = new BodyPace({ bytesPerSecond: exchange.limits.bodyRate, idleMs: exchange.limits.bodyIdleMs }, nowMs);
      this.#awaitBody();
      if (bodyStart < input.length) used = exchange.takeBody(input, bodyStart);
      if (this.#exchange !== exchange) return;
    }
    if (used < input.length) this.#pending = input.subarray(used);
    exchange.start();
  }

  #passHttp2(route: LiveRoute): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.#socket.passOn === undefined) this.answerItself(http2Only, false);
    else this.#socket.passOn(route, this.#request, this);
  }

  #becomeHttp2(bytes: Buffer): void {
    this.#pending = null;
    this.#leave();
    for (const event of socketEvents) this.#socket.off(event, this.#listeners[event]);
    this.#owner.onHttp2?.(this.#socket, bytes);
  }

  /** What is answered before any app is asked; null if that is to be done. */
  #ownAnswer(route: LiveRoute | null, headBytes: number): Page | null {
    const { host, path, target } = this.#request;
    const security = this.#security;
    if (security !== null && isMisdirected(host, security)) return misdirected(host);
    const { challenges } = this.#owner;
    const content = challenges !== null && path.startsWith(challengePath) ? challenges.get(path.slice(challengePath.length)) : undefined;
    if (content !== undefined) return { status: 200, message: content, isWhole: true };
    if (route === null) return this.#nothingHere();
    const guarded = route.guard === null ? null : guardPage(route.guard, security, host, target);
    if (guarded !== null || route.gate === null) return guarded;
    const { contentLength } = this.#request;
    const nowMs = this.#context.clock.monotonicMs();
    const page = route.gate.check({ host, path, target, contentLength, headBytes, client: this.address }, nowMs);
    // Maintenance says nothing about a release.
    if (page !== null && page.status < 500) route.heaviest()?.counters.count(page.status, 0);
    return page;
  }

  /** A trusted proxy says with each request whose it is. */
  #believeProxy(): void {
    const { forwardedFor, forwardedProto } = this.#request;
    const { trusted } = this.#context;
    if (trusted === null) return;
    const { address, chain } = trusted.client(this.#peer, forwardedFor);
    const isSecure = forwardedProto === "" ? this.#security !== null : forwardedProto === "https";
    this.address = address;
    this.#isProxySecure = isSecure;
    this.identity = this.#identify(chain, address, isSecure ? "https" : "http");
  }

  #identify(chain: string, address: string, protocol: string): string {
    const client = this.#security?.client?.lines ?? "";
    return `x-forwarded-for: ${chain}\r\nx-real-ip: ${address}\r\nx-forwarded-proto: ${protocol}\r\n${client}`;
  }

  #nothingHere(): Page {
    const { host, path } = this.#request;
    return { status: 404, message: `nothing is served at "${host.header}${path}"` };
  }

  /** What can be said of a head before all of it is there, so that nothing wrong has to be waited for. */
  #judgePart(text: string): Refusal | null {
    const { limits } = this.#context;
    const lineEnd = text.indexOf("\r\n");
    if ((lineEnd === -1 ? text.length : lineEnd) > limits.requestLineBytes) return { status: 414, reason: "the request line is too long" };
    if (text.length > limits.requestHeadBytes) return { status: 431, reason: "the request's head is too long" };
    return /(?:^|[^\r])\n|\r[^\n]|^\r|\0/.test(text) ? { status: 400, reason: "a line of the request's head is not valid" } : null;
  }

  #refuse({ status, reason }: Refusal): void {
    this.#pending = null;
    this.#state = "exchange";
    const headers = status === 426 ? { "sec-websocket-version": "13", upgrade: "websocket" } : {};
    this.answerItself({ status, message: reason, headers }, false);
  }

  #becomeIdle(): void {
    this.#state = "idle";
    this.deadlineMs = this.#context.clock.monotonicMs() + this.#context.limits.clientIdleMs;
  }

  /** Says that this was the last answer, and reads on for a moment: closing with unread bytes would reset the connection under the answer. */
  #linger(): void {
    this.#pending = null;
    this.#socket.end();
    this.#becomeLingering();
  }

  #becomeLingering(): void {
    this.#state = "lingering";
    this.deadlineMs = this.#context.clock.monotonicMs() + this.#context.limits.lingerMs;
    this.#waitsForDrain = false;
    this.unpause();
  }
}
