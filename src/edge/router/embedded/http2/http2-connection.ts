import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { ClientConnection, type ClientOwner, type ClientSocket, type FindRoute } from "../client-connection.ts";
import type { EdgeContext } from "../context.ts";
import type { Timed } from "../deadlines.ts";
import type { Security } from "../tls/security.ts";
import type { Tunnel } from "../tunnel.ts";
import { FrameGuard, type Violation } from "./frame-guard.ts";
import { GuardedSocket } from "./guarded-socket.ts";
import { requestText } from "./request-text.ts";
import { StreamSocket } from "./stream-socket.ts";

/** Requests under way on one connection: what RFC 9113 calls enough (section 6.5.2), and browsers never reach. */
const streamsAtOnce = 100;
/** What a client may send ahead of one request's app, and of all together. */
const streamWindowBytes = 262_144;
const windowBytes = 2 ** 20;
/**
 * Requests that a client takes back: so many at once, then so many a second, or the connection ends (CVE-2023-44487). A person who leaves a page
 * with a hundred pictures takes back a hundred.
 */
const resets = { burst: 200, perSecond: 33 } as const;
/** Megabytes that a connection may hold in nghttp2 itself: twice its window, and heads. */
const memoryMegabytes = 4;
const protocolError = 1;
const endStreamFlag = 1;

/** What a connection needs from the listener that it came in on. */
export interface Http2Owner extends ClientOwner {
  onHttp2Close(connection: Http2Connection): void;
}

/** One connection of a client that speaks HTTP/2: each of its streams becomes a connection of HTTP/1.1 of its own inside the edge. */
export class Http2Connection implements ClientOwner, Timed {
  deadlineMs: number;
  readonly #owner: Http2Owner;
  readonly #context: EdgeContext;
  readonly #security: Security | null;
  readonly #session: ServerHttp2Session;
  readonly #socket: ClientSocket;
  readonly #guarded: GuardedSocket;
  /** No further request is taken: the session ends with the last stream, and the connection once the client has closed its side too. */
  #isEnding = false;
  readonly #remoteAddress: string | undefined;
  readonly #clients = new Set<ClientConnection>();

  /** @param first what has been read of it already */
  constructor(socket: ClientSocket, owner: Http2Owner, context: EdgeContext, security: Security | null, first: Buffer | null = null) {
    this.#owner = owner;
    this.#context = context;
    this.#security = security;
    this.#remoteAddress = socket.remoteAddress;
    this.deadlineMs = context.clock.monotonicMs() + context.limits.headMs;
    const { limits } = context;
    const guarded = new GuardedSocket(socket, first, new FrameGuard(context.clock), (code) => this.#break(code));
    this.#socket = socket;
    this.#guarded = guarded;
    const session = loadHttp2().performServerHandshake(guarded, {
      settings: {
        maxConcurrentStreams: streamsAtOnce,
        initialWindowSize: streamWindowBytes,
        maxHeaderListSize: limits.requestHeadBytes,
      },
      maxSessionMemory: memoryMegabytes,
      maxHeaderListPairs: limits.headerLines + 4,
      streamResetBurst: resets.burst,
      streamResetRate: resets.perSecond,
    });
    this.#session = session;
    session.setLocalWindowSize(windowBytes);
    session.on("stream", (stream, _headers, flags, raw) => this.#begin(stream, flags, raw));
    // What broke it does not matter to anyone: "close" follows.
    session.on("error", () => {});
    session.on("close", () => this.#closed());
    context.deadlines.add(this);
  }

  get findRoute(): FindRoute {
    return this.#owner.findRoute;
  }

  get challenges(): ReadonlyMap<string, string> | null {
    return this.#owner.challenges;
  }

  /** Takes no new requests; ends with the last of those under way. */
  closeGently(): void {
    this.#isEnding = true;
    this.#session.close();
    if (this.#clients.size === 0) this.#becomeIdle();
  }

  destroy(): void {
    this.#session.destroy();
    // A session that was closed before waits for the client to close its side, which it need never do.
    this.#guarded.destroy();
  }

  onDeadline(): void {
    // Nothing under way for so long; and some time later the client has still not closed its side.
    if (this.#isEnding) this.destroy();
    else this.closeGently();
  }

  onClientClose(client: ClientConnection): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#becomeIdle();
  }

  onTunnel(tunnel: Tunnel): void {
    this.#owner.onTunnel(tunnel);
  }

  onTunnelClose(tunnel: Tunnel): void {
    this.#owner.onTunnelClose(tunnel);
  }

  #begin(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const hasBody = (flags & endStreamFlag) === 0;
    const text = requestText(raw, hasBody);
    if (text === null) {
      stream.on("error", () => {});
      stream.close(protocolError);
      if (this.#clients.size === 0) this.#becomeIdle();
      return;
    }
    const socket = new StreamSocket(stream, text, hasBody, this.#remoteAddress, this.#context);
    this.#clients.add(new ClientConnection(socket, this, this.#context, this.#security));
  }

  #becomeIdle(): void {
    const { clock, limits } = this.#context;
    this.deadlineMs = clock.monotonicMs() + (this.#isEnding ? limits.lingerMs : limits.clientIdleMs);
  }

  #break(code: Violation): void {
    const wasEnding = this.#session.closed;
    this.#session.destroy(undefined, code);
    if (wasEnding) this.#guarded.destroy();
  }

  #closed(): void {
    const { deadlines, clock, limits } = this.#context;
    deadlines.delete(this);
    this.#owner.onHttp2Close(this);
    const socket = this.#socket;
    if (socket.destroyed) return;
    // Its last words are still on their way; a client that does not take them is cut.
    const last: Timed = { deadlineMs: clock.monotonicMs() + limits.lingerMs, onDeadline: () => socket.destroy() };
    deadlines.add(last);
    socket.once("close", () => deadlines.delete(last));
  }
}

/** Loaded with the first connection that speaks it: it costs megabytes, and many edges never see one. */
function loadHttp2(): typeof import("node:http2") {
  return process.getBuiltinModule("node:http2");
}
