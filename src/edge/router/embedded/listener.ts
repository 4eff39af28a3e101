import net from "node:net";
import type tls from "node:tls";
import type { IdleConnections } from "../router.ts";
import { ClientConnection, type ClientOwner, type ClientSocket, type FindRoute } from "./client-connection.ts";
import type { ClientCount } from "./client-count.ts";
import type { EdgeContext } from "./context.ts";
import { Http2Connection } from "./http2/http2-connection.ts";
import type { LiveRoute } from "./live-route.ts";
import { type Page, renderPage } from "./pages.ts";
import type { Source } from "./ports/proxy-protocol.ts";
import { takeProxyHeader } from "./ports/take-proxy-header.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { Security } from "./tls/security.ts";
import type { TlsPort, TlsUser } from "./tls/tls-port.ts";
import type { Tunnel } from "./tunnel.ts";

export type ListenerKind =
  | { readonly protocol: "http"; readonly findRoute: FindRoute }
  | { readonly protocol: "https"; readonly findRoute: FindRoute; readonly port: TlsPort }
  | { readonly protocol: "tcp"; readonly route: LiveRoute };

/** One address that clients connect to, and the connections that came in there. */
export class Listener implements ClientOwner, TlsUser {
  readonly #server: net.Server;
  readonly #kind: ListenerKind;
  readonly #context: EdgeContext;
  readonly #count: ClientCount;
  readonly #clients = new Set<ClientConnection | Http2Connection>();
  readonly #sockets = new Set<net.Socket>();
  readonly #tunnels = new Set<Tunnel>();
  readonly #emptied = Promise.withResolvers<void>();
  readonly #tls: TlsPort | null;
  /** On the TLS port: what a trusted proxy said of who the peer is, by the peer's own address and port. */
  readonly #sources = new Map<string, Source>();
  #isClosing = false;

  constructor(kind: ListenerKind, context: EdgeContext, count: ClientCount) {
    this.#kind = kind;
    this.#context = context;
    this.#count = count;
    this.#tls = kind.protocol === "https" ? kind.port : null;
    this.#server = net.createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** @throws {Error} of `listen`, such as EADDRINUSE. */
  async open(host: string, port: number): Promise<void> {
    await this.#context.listen(this.#server, { host, port });
    this.#server.on("error", (error) => this.#context.log.error("accepting a connection failed", { port, error: error.message }));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get findRoute(): FindRoute {
    return this.#kind.protocol === "tcp" ? () => null : this.#kind.findRoute;
  }

  challenges: ReadonlyMap<string, string> | null = null;

  /** Takes no new connections; those there are end after what they do now. Resolves when all are gone. */
  async closeGently(idle: IdleConnections = "close"): Promise<void> {
    if (this.#server.listening) this.#server.close();
    for (const client of this.#clients) client.closeGently(idle);
    this.#isClosing = true;
    this.#checkEmpty();
    await this.#emptied.promise;
  }

  /** Cuts every connection. */
  destroy(): void {
    if (this.#server.listening) this.#server.close();
    for (const client of this.#clients) client.destroy();
    for (const socket of this.#sockets) socket.destroy();
    for (const tunnel of this.#tunnels) tunnel.destroy();
  }

  onClientClose(client: ClientConnection): void {
    this.#clients.delete(client);
    this.#counted(-1);
    this.#checkEmpty();
  }

  onHttp2(socket: ClientSocket, bytes: Buffer): void {
    if (this.#tls !== null) {
      // Over TLS it is agreed on in the handshake.
      socket.destroy();
      return;
    }
    this.#counted(1);
    this.#clients.add(new Http2Connection(socket, this, this.#context, null, bytes));
  }

  onHttp2Close(connection: Http2Connection): void {
    this.#clients.delete(connection);
    this.#counted(-1);
    this.#checkEmpty();
  }

  onTunnel(tunnel: Tunnel): void {
    this.#counted(1);
    this.#tunnels.add(tunnel);
  }

  onTunnelClose(tunnel: Tunnel): void {
    this.#counted(-1);
    this.#tunnels.delete(tunnel);
    this.#checkEmpty();
  }

  onSecure(socket: tls.TLSSocket, security: Security): void {
    const isHttp2 = socket.alpnProtocol === "h2";
    const client = isHttp2
      ? new Http2Connection(socket, this, this.#context, security)
      : new ClientConnection(socket, this, this.#context, security, this.#sourceOf(socket)?.address);
    this.#clients.add(client);
    if (this.#isClosing) client.closeGently("answer");
  }

  onPassthrough(socket: net.Socket, route: LiveRoute): void {
    const onTunnel = (tunnel: Tunnel | null) => {
      if (tunnel !== null) this.#tunnels.add(tunnel);
      held = tunnel;
    };
    let held: Tunnel | null = null;
    new TcpConnection(
      socket,
      route,
      this.#context,
      onTunnel,
      () => {
        if (held !== null) this.#tunnels.delete(held);
        this.#leftTls(socket);
      },
      this.#sourceOf(socket),
    );
  }

  /** Asked for its address only where that can tell something: it takes a system call. */
  #sourceOf(socket: net.Socket): Source | null {
    return this.#sources.size === 0 ? null : (this.#sources.get(peerOf(socket)) ?? null);
  }

  /** On the TLS port the socket below counts, from its first byte to its last; whatever is above it does not. */
  #counted(by: 1 | -1): void {
    if (this.#tls === null) this.#count.open += by;
  }

  #leftTls(socket: net.Socket): void {
    if (!this.#sockets.delete(socket)) return;
    this.#count.open--;
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#isClosing && this.#clients.size + this.#sockets.size + this.#tunnels.size === 0) this.#emptied.resolve();
  }

  #accept(socket: net.Socket): void {
    if (this.#count.open >= this.#context.limits.clients) {
      this.#shed(socket, { status: 503, message: "the edge has as many connections as it can hold" });
      return;
    }
    this.#count.open++;
    const presence = this.#proxyHeader(socket);
    if (presence !== "none") this.#askProxy(socket, presence);
    else if (this.#admits(socket, plainAddress(socket.remoteAddress ?? ""))) this.#admit(socket, null);
  }

  /** Whether a connection may or has to begin with a header of the PROXY protocol: only those of trusted proxies may on the shared ports. */
  #proxyHeader(socket: net.Socket): "none" | "optional" | "required" {
    if (this.#kind.protocol === "tcp") return this.#kind.route.route.policy?.proxyProtocol?.from === true ? "required" : "none";
    const { trusted } = this.#context;
    // The address takes a system call.
    return trusted?.has(plainAddress(socket.remoteAddress ?? "")) ? "optional" : "none";
  }

  #askProxy(socket: net.Socket, presence: "optional" | "required"): void {
    const left = () => {
      this.#sockets.delete(socket);
      this.#count.open--;
      this.#checkEmpty();
    };
    this.#sockets.add(socket);
    socket.on("close", left);
    takeProxyHeader(socket, this.#context, presence, (source) => {
      socket.off("close", left);
      this.#sockets.delete(socket);
      // A proxy that does not say for whom it connects does so for many.
      if (source === null || this.#admits(socket, source.address)) this.#admit(socket, source);
    });
  }

  #admits(socket: net.Socket, address: string): boolean {
    if (this.#count.admits(socket, address)) return true;
    this.#count.open--;
    this.#shed(socket, { status: 429, message: "too many connections from this address" });
    this.#checkEmpty();
    return false;
  }

  #admit(socket: net.Socket, source: Source | null): void {
    if (this.#tls !== null) {
      this.#sockets.add(socket);
      socket.on("close", () => this.#leftTls(socket));
      if (source !== null) {
        const peer = peerOf(socket);
        this.#sources.set(peer, source);
        socket.on("close", () => this.#sources.delete(peer));
      }
      this.#tls.accept(socket, this);
    } else if (this.#kind.protocol === "http") {
      const client = new ClientConnection(socket, this, this.#context, null, source?.address);
      this.#clients.add(client);
      if (this.#isClosing) client.closeGently("answer");
    } else if (this.#kind.protocol === "tcp") this.#acceptTcp(socket, this.#kind.route, source);
  }

  #acceptTcp(socket: net.Socket, route: LiveRoute, source: Source | null): void {
    let held: Tunnel | null = null;
    this.#sockets.add(socket);
    const onTunnel = (tunnel: Tunnel | null) => {
      this.#sockets.delete(socket);
      held = tunnel;
      if (tunnel !== null) this.#tunnels.add(tunnel);
    };
    new TcpConnection(
      socket,
      route,
      this.#context,
      onTunnel,
      () => {
        this.#count.open--;
        if (held !== null) this.#tunnels.delete(held);
        this.#checkEmpty();
      },
      source,
    );
  }

  /** Too many connections: a client that is told so comes back, one that waits in the dark does not. */
  #shed(socket: net.Socket, words: Pick<Page, "status" | "message">): void {
    socket.on("error", () => {});
    if (this.#kind.protocol !== "http") {
      socket.destroy();
      return;
    }
    const page = { ...words, headers: { "retry-after": "1" } };
    const options = { wantsHtml: false, withBody: true, connection: "close", nowMs: this.#context.clock.nowMs() } as const;
    socket.end(renderPage(page, options), "latin1", () => socket.destroy());
  }
}

function plainAddress(address: string): string {
  return address.replace(/^::ffff:/, "");
}

function peerOf({ remoteAddress = "", remotePort = 0 }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
