import type { RouteId } from "#model/names.ts";
import type { LiveRoute } from "../live-route.ts";
import { type ClientPolicy, clientPolicy } from "./client-certificate.ts";
import { routeGuard } from "./guard.ts";
import type { TlsPort } from "./tls-port.ts";

interface Held {
  readonly live: LiveRoute;
  readonly host: string;
  readonly policy: ClientPolicy | null;
}

/** What routes ask of TLS, worked out once, when a route or a certificate changes. */
export class TlsRoutes {
  readonly #port: TlsPort;
  readonly #listens: () => number | null;
  readonly #held = new Map<RouteId, Held>();
  readonly #byHost = new Map<string, Map<RouteId, Held>>();

  /** @param listens the TLS port's number; null while it is not open */
  constructor(port: TlsPort, listens: () => number | null) {
    this.#port = port;
    this.#listens = listens;
  }

  set(live: LiveRoute): void {
    const { id, listener, policy } = live.route;
    this.delete(id);
    if (listener.kind === "passthrough") {
      this.#port.pass(listener.host, live);
      this.#held.set(id, { live, host: listener.host, policy: null });
    } else if (listener.kind === "public") {
      const client = policy?.tls?.client;
      const held = { live, host: listener.host, policy: client === undefined ? null : clientPolicy(client) };
      this.#held.set(id, held);
      const others = this.#byHost.get(held.host) ?? new Map<RouteId, Held>();
      this.#byHost.set(held.host, others.set(id, held));
      if (held.policy !== null) this.#ask(held.host);
      this.#guard(held);
    }
  }

  delete(id: RouteId): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    const others = this.#byHost.get(held.host);
    if (others?.delete(id) !== true) {
      this.#port.pass(held.host, null);
      return;
    }
    if (others.size === 0) this.#byHost.delete(held.host);
    if (held.policy !== null) this.#ask(held.host);
  }

  /** Certificates changed, or the port was opened. */
  refresh(): void {
    for (const held of this.#held.values()) if (held.live.route.listener.kind === "public") this.#guard(held);
  }

  /** A handshake knows the host alone, so a host has one policy: that of its first route by id. A route with another one refuses everybody. */
  #ask(host: string): void {
    const policies = [...(this.#byHost.get(host)?.values() ?? [])]
      .filter(({ policy }) => policy !== null)
      .sort((a, b) => (a.live.route.id < b.live.route.id ? -1 : 1));
    this.#port.ask(host, policies[0]?.policy ?? null);
  }

  #guard({ live, host, policy }: Held): void {
    live.guard = routeGuard({
      tls: live.route.policy?.tls,
      client: policy,
      isTrusted: this.#port.certificates.find(host)?.certificate.isTrusted ?? null,
      port: this.#listens(),
    });
  }
}
