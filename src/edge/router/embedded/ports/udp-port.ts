import dgram from "node:dgram";
import net from "node:net";
import { errorFields } from "#host/log.ts";
import { UdpSocket } from "#host/udp-socket.ts";
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
/** How long after a client's last datagram an answer is still waited for at a port that closes: its next one comes in elsewhere. Few answers take a tenth of it. */
const lastAnswerMs = 2_000;

/** A public port for datagrams: each client address is a session with one instance, until it is quiet for the route's idle time. */
export class UdpPort {
  readonly #route: LiveRoute;
  readonly #context: EdgeContext;
  readonly #sessions = new Map<string, UdpSession>();
  #socket: UdpSocket | null = null;
  #dropped = 0;
  #isClosing = false;
  /** The last session has ended. */
  #quiet: (() => void) | null = null;

  constructor(route: LiveRoute, context: EdgeContext) {
    this.#route = route;
    this.#context = context;
  }

  /** @throws {Error} with the system's code, such as EADDRINUSE. */
  async open(host: string, port: number): Promise<void> {
    // Each worker has a socket of its own: the kernel keeps a client with one of them by its address.
    const socket = await UdpSocket.bind({ host, port, isShared: true });
    this.#socket = socket;
    socket.receive(
      (bytes, from) => this.#take(bytes, { address: from.address, port: from.port }),
      (error) => this.#context.log.error("receiving a datagram failed", { port, ...errorFields(error) }),
    );
  }

  /**
   * Leaves what clients send from now on to other edges that have the port: whoever sends more starts anew there. Resolves once what had come is with its
   * instances, and they had their time to answer.
   */
  async closeGently(): Promise<void> {
    const socket = this.#socket;
    if (socket === null) return;
    this.#isClosing = true;
    socket.leave();
    await socket.emptied();
    while (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => {
        this.#quiet = resolve;
      });
      await socket.emptied();
    }
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

  #begin(key: string, from: Source, socket: UdpSocket): UdpSession | undefined {
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
      isClosing: () => this.#isClosing,
      onClose: () => {
        this.#sessions.delete(key);
        if (this.#sessions.size === 0) this.#quiet?.();
      },
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
  readonly socket: UdpSocket;
  readonly route: LiveRoute;
  readonly context: EdgeContext;
  /** Whether the port is. */
  readonly isClosing: () => boolean;
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
  /** When the client sent its last. */
  #askedMs: number;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { endpoint, from, socket, route, context } = options;
    this.#startedAtMs = context.clock.monotonicMs();
    this.#lastMs = this.#startedAtMs;
    this.#askedMs = this.#startedAtMs;
    this.#header = route.route.policy?.proxyProtocol?.to === true ? proxyHeader("udp", from, socket.address) : null;
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
    const { endpoint, route, isClosing } = this.#options;
    const idleMs = route.limits.udpIdleMs;
    const quietAtMs = this.#lastMs + (endpoint.isGone ? Math.min(drainIdleMs, idleMs) : idleMs);
    return isClosing() ? Math.min(quietAtMs, this.#askedMs + lastAnswerMs) : quietAtMs;
  }

  /** Its instance refused: the client's next datagram begins a new session. */
  get isLost(): boolean {
    return this.#hasFailed || this.#isClosed;
  }

  send(bytes: Buffer): void {
    this.#bytesIn += bytes.length;
    this.#touch();
    this.#askedMs = this.#lastMs;
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
    socket.send(bytes, from);
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
