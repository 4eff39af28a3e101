import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import type { LiveTarget } from "../choice.ts";
import type { EdgeContext } from "../context.ts";
import type { Timed } from "../deadlines.ts";
import type { Endpoint } from "../endpoint.ts";
import type { LiveRoute } from "../live-route.ts";
import { proxyHeader, type Source } from "./proxy-protocol.ts";

/** Datagrams of one client that wait until the socket to its instance is open: an instant, so that a handful is plenty. */
const mostEarly = 16;
/** A client that is quiet for this long has ended what it had with an instance that leaves: the drain need not wait for the route's idle time. */
const drainIdleMs = 1_000;

/** A public port for datagrams: each client address is a session with one instance, until it is quiet for the route's idle time. */
export class UdpPort {
  readonly #route: LiveRoute;
  readonly #context: EdgeContext;
  readonly #sessions = new Map<string, UdpSession>();
  #socket: dgram.Socket | null = null;
  #dropped = 0;

  constructor(route: LiveRoute, context: EdgeContext) {
    this.#route = route;
    this.#context = context;
  }

  /** @throws {Error} of `bind`, such as EADDRINUSE. */
  async open(host: string, port: number): Promise<void> {
    // Each worker has a socket of its own: the kernel keeps a client with one of them by its address.
    const socket = dgram.createSocket({ type: net.isIPv6(host) ? "udp6" : "udp4", reusePort: true });
    try {
      const listening = once(socket, "listening");
      socket.bind({ address: host, port, exclusive: true });
      await listening;
    } catch (error) {
      socket.close();
      throw error;
    }
    this.#socket = socket;
    socket.on("error", (error) => this.#context.log.error("receiving a datagram failed", { port, error: error.message }));
    socket.on("message", (bytes, from) => this.#take(bytes, { address: from.address, port: from.port }));
  }

  /** There is no gentle way to end what has no end: whoever sends more starts anew elsewhere. */
  async closeGently(): Promise<void> {
    this.destroy();
  }

  destroy(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#socket?.close();
    this.#socket = null;
  }

  #take(bytes: Buffer, from: Source): void {
    const socket = this.#socket;
    if (socket === null) return;
    const key = `${from.address} ${from.port}`;
    let session = this.#sessions.get(key);
    if (session?.isLost) {
      session.close();
      session = undefined;
    }
    session ??= this.#begin(key, from, socket);
    if (session !== undefined) session.send(bytes);
  }

  #begin(key: string, from: Source, socket: dgram.Socket): UdpSession | undefined {
    const choice = this.#sessions.size < this.#context.limits.udpSessions ? this.#route.choose([]) : null;
    if (choice === null) {
      // Datagrams may get lost; so do these. Told by powers of two, so that a flood is a few lines.
      const dropped = ++this.#dropped;
      if ((dropped & (dropped - 1)) === 0)
        this.#context.log.warn("datagrams dropped", { route: this.#route.route.id, dropped, sessions: this.#sessions.size });
      return undefined;
    }
    const session = new UdpSession({
      ...choice,
      from,
      socket,
      route: this.#route,
      context: this.#context,
      onClose: () => this.#sessions.delete(key),
      onUnsent: (bytes) => this.#take(bytes, from),
    });
    this.#sessions.set(key, session);
    return session;
  }
}

interface SessionOptions {
  readonly target: LiveTarget;
  readonly endpoint: Endpoint;
  readonly from: Source;
  /** The port's own, for answers. */
  readonly socket: dgram.Socket;
  readonly route: LiveRoute;
  readonly context: EdgeContext;
  readonly onClose: () => void;
  /** The instance left and has stopped by now: this datagram did not get there. */
  readonly onUnsent: (bytes: Buffer) => void;
}

/** What one client and one instance send each other. */
class UdpSession implements Timed {
  readonly #options: SessionOptions;
  readonly #upstream: dgram.Socket;
  readonly #header: Buffer | null;
  readonly #startedAtMs: number;
  #early: Buffer[] | null = [];
  #isClosed = false;
  #hasFailed = false;
  #lastMs: number;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { endpoint, from, socket, route, context } = options;
    this.#startedAtMs = context.clock.monotonicMs();
    this.#lastMs = this.#startedAtMs;
    const { address, port } = socket.address();
    this.#header = route.route.policy?.proxyProtocol?.to === true ? proxyHeader("udp", from, { address, port }) : null;
    this.#upstream = dgram.createSocket({ type: net.isIPv6(endpoint.host) ? "udp6" : "udp4" });
    endpoint.begin();
    context.deadlines.add(this);
    this.#upstream.on("message", (bytes) => this.#answer(bytes));
    this.#upstream.on("error", () => this.#fail());
    this.#upstream.on("connect", () => {
      const early = this.#early ?? [];
      this.#early = null;
      for (const bytes of early) this.#transmit(bytes);
    });
    this.#upstream.connect(endpoint.port, endpoint.host);
  }

  /** An instance that has left the table keeps its clients while it drains, but not those that have nothing more to say. */
  get deadlineMs(): number {
    const { endpoint, route } = this.#options;
    const idleMs = route.limits.udpIdleMs;
    return this.#lastMs + (endpoint.isGone ? Math.min(drainIdleMs, idleMs) : idleMs);
  }

  /** Its instance refused: the client's next datagram begins a new session. */
  get isLost(): boolean {
    return this.#hasFailed || this.#isClosed;
  }

  send(bytes: Buffer): void {
    this.#bytesIn += bytes.length;
    this.#touch();
    if (this.#early === null) this.#transmit(bytes);
    else if (this.#early.length < mostEarly) this.#early.push(bytes);
  }

  #transmit(bytes: Buffer): void {
    const framed = this.#header === null ? bytes : Buffer.concat([this.#header, bytes]);
    this.#upstream.send(framed, (error) => {
      if (error === null) return;
      this.#fail();
      const { endpoint, onUnsent } = this.#options;
      // Only instances that are in the table are chosen, so this cannot go round.
      if (endpoint.isGone) onUnsent(bytes);
    });
  }

  onDeadline(): void {
    this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { target, endpoint, context, onClose } = this.#options;
    context.deadlines.delete(this);
    this.#upstream.close();
    target.counters.count(this.#hasFailed && this.#bytesOut === 0 ? 503 : 200, context.clock.monotonicMs() - this.#startedAtMs);
    target.counters.bytesIn += this.#bytesIn;
    target.counters.bytesOut += this.#bytesOut;
    endpoint.end();
    onClose();
  }

  #answer(bytes: Buffer): void {
    const { socket, from } = this.#options;
    this.#bytesOut += bytes.length;
    this.#touch();
    // A client that cannot be reached is one that has gone.
    socket.send(bytes, from.port, from.address, () => {});
  }

  #touch(): void {
    this.#lastMs = this.#options.context.clock.monotonicMs();
  }

  /** Nobody listens there (ICMP told so): others are tried first for a moment. */
  #fail(): void {
    if (this.#hasFailed || this.#isClosed) return;
    const { endpoint, context } = this.#options;
    this.#hasFailed = true;
    endpoint.ejectedUntilMs = context.clock.monotonicMs() + context.limits.ejectMs;
  }
}
