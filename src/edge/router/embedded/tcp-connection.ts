import type net from "node:net";
import type { EdgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HeldRequest } from "./held-requests.ts";
import type { LiveRoute } from "./live-route.ts";
import { proxyHeader, type Source } from "./ports/proxy-protocol.ts";
import { Tunnel } from "./tunnel.ts";
import { UpstreamConnection, type UpstreamUser } from "./upstream-connection.ts";

/** A client of a tcp service while it looks for an instance; after that, the tunnel has it. */
export class TcpConnection implements UpstreamUser, HeldRequest {
  heldUntilMs = 0;
  readonly #socket: net.Socket;
  readonly #route: LiveRoute;
  readonly #context: EdgeContext;
  readonly #startedAtMs: number;
  readonly #source: Source;
  readonly #onTunnel: (tunnel: Tunnel | null) => void;
  readonly #onClose: () => void;
  #upstream: UpstreamConnection | null = null;
  #endpoint: Endpoint | null = null;
  #count: ((status: number) => void) | null = null;
  #tried: readonly Endpoint[] = [];
  #isHeld = false;
  /** What broke it does not matter to anyone: "close" follows. */
  readonly #ignore = () => {};
  readonly #closed = () => this.#abandon();

  /**
   * @param onTunnel told of the tunnel once there is one, and null if there never will be.
   * @param source who the client is, if a proxy in front said so.
   */
  constructor(
    socket: net.Socket,
    route: LiveRoute,
    context: EdgeContext,
    onTunnel: (tunnel: Tunnel | null) => void,
    onClose: () => void,
    source: Source | null = null,
  ) {
    this.#source = source ?? { address: (socket.remoteAddress ?? "").replace(/^::ffff:/, ""), port: socket.remotePort ?? 0 };
    this.#socket = socket;
    this.#route = route;
    this.#context = context;
    this.#onTunnel = onTunnel;
    this.#onClose = onClose;
    this.#startedAtMs = context.clock.monotonicMs();
    socket.pause();
    socket.on("error", this.#ignore);
    socket.on("close", this.#closed);
    this.#attempt();
  }

  #attempt(): void {
    this.#isHeld = false;
    const { limits } = this.#context;
    const choice = this.#tried.length >= limits.attempts ? null : this.#route.choose(this.#tried);
    if (choice === null) {
      this.#hold();
      return;
    }
    this.#endpoint = choice.endpoint;
    this.#count = (status) => choice.target.counters.count(status, this.#context.clock.monotonicMs() - this.#startedAtMs);
    choice.endpoint.begin();
    this.#upstream = new UpstreamConnection(choice.endpoint, this, this.#context, { isBare: true });
  }

  #hold(): void {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.heldUntilMs === 0) this.heldUntilMs = nowMs + this.#route.holdMs;
    if (nowMs >= this.heldUntilMs || !this.#route.held.add(this)) {
      this.giveUp();
      return;
    }
    this.#isHeld = true;
  }

  resume(): void {
    this.#tried = [];
    this.#attempt();
  }

  giveUp(): void {
    this.#isHeld = false;
    this.#count?.(503);
    this.#socket.destroy();
  }

  onUpstreamReady(): void {
    const endpoint = this.#endpoint;
    const upstream = this.#upstream;
    if (endpoint === null || upstream === null) return;
    this.#upstream = null;
    this.#endpoint = null;
    this.#count?.(200);
    this.#socket.off("error", this.#ignore);
    this.#socket.off("close", this.#closed);
    const bare = upstream.detach();
    const { route, limits } = this.#route;
    if (route.policy?.proxyProtocol?.to === true) bare.write(proxyHeader("tcp", this.#source, localOf(this.#socket)));
    const tunnel = new Tunnel(this.#socket, bare, limits.tcpIdleMs, this.#context, () => {
      endpoint.end();
      this.#onClose();
    });
    this.#onTunnel(tunnel);
  }

  onUpstreamRefused(): void {
    const endpoint = this.#endpoint;
    if (endpoint === null) return;
    endpoint.ejectedUntilMs = this.#context.clock.monotonicMs() + this.#context.limits.ejectMs;
    this.#tried = [...this.#tried, endpoint];
    this.#leaveEndpoint();
    this.#attempt();
  }

  onUpstreamBytes(): boolean {
    return true;
  }
  onUpstreamEnd(): void {}
  onUpstreamDrain(): void {}
  onUpstreamClose(): void {}

  #leaveEndpoint(): void {
    const endpoint = this.#endpoint;
    this.#endpoint = null;
    this.#upstream = null;
    endpoint?.end();
  }

  #abandon(): void {
    if (this.#isHeld) this.#route.held.delete(this);
    this.#upstream?.destroy();
    this.#leaveEndpoint();
    this.#onTunnel(null);
    this.#onClose();
  }
}

function localOf({ localAddress = "", localPort = 0 }: net.Socket): Source {
  return { address: localAddress.replace(/^::ffff:/, ""), port: localPort };
}
