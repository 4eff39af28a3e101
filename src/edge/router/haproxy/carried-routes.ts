import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { ListenerProblem } from "../router.ts";
import { type Address, type Config, listenAddress } from "./config.ts";
import { misplaced } from "./places.ts";
import { serverAddress } from "./quoting.ts";
import { refusedLines, takenPorts } from "./refusals.ts";
import type { Slots } from "./servers.ts";
import type { Sockets } from "./sockets.ts";

/** Where the router itself listens. */
export interface PublicAddresses {
  /** Null: nothing is taken from outside. */
  readonly http: Address | null;
  /** Null: the edge has no TLS port. */
  readonly https: Address | null;
}

/** Which routes HAProxy is told of, and what is wrong with the others: a route that it cannot carry, or refuses, must not hold up the rest. */
export class CarriedRoutes {
  readonly #log: Log;
  readonly #problems = new Map<RouteId, ListenerProblem>();
  /** What the log has of them, so that no pass says it again. */
  readonly #logged = new Map<RouteId, string>();
  /** Routes that HAProxy refused, as they were then: they are tried again once they change. */
  readonly #refused = new Map<RouteId, { readonly route: Route; readonly words: string }>();

  constructor(log: Log) {
    this.#log = log;
  }

  get problems(): readonly ListenerProblem[] {
    return [...this.#problems.values()];
  }

  /** The route is no longer in the table. */
  forget(id: RouteId): void {
    this.#problems.delete(id);
    this.#logged.delete(id);
    this.#refused.delete(id);
  }

  /** The routes that HAProxy is told of, with their sockets held; the others are problems. */
  async pick(routes: ReadonlyMap<RouteId, Route>, own: PublicAddresses, sockets: Sockets): Promise<ReadonlyMap<RouteId, Route>> {
    const carried = new Map<RouteId, Route>();
    const ports = new Map<number, RouteId>();
    for (const [id, route] of routes) {
      const port = portOf(route);
      const holder = port === null ? undefined : ports.get(port);
      const why = unable(route, own);
      const refused = this.#refused.get(id);
      if (refused !== undefined && refused.route !== route) this.#refused.delete(id);
      if (refused?.route === route) this.#report(id, port, "ROUTE_REFUSED", refused.words);
      else if (why !== null) this.#report(id, port, "ROUTE_NOT_CARRIED", why);
      else if (holder !== undefined) this.#report(id, port, "PORT_IN_USE", `route "${holder}" has the port`);
      else if (await this.#holdSocket(route, own.http, sockets)) {
        if (port !== null) ports.set(port, id);
        this.#problems.delete(id);
        carried.set(id, route);
      }
    }
    return carried;
  }

  /** What of carried routes is not as the table says, once HAProxy carries them. */
  reportShortcomings(routes: ReadonlyMap<RouteId, Route>, shortcomings: Config["shortcomings"]): void {
    for (const [id, { targets }] of routes) {
      const named = targets.flatMap(({ endpoints }) => endpoints).find(({ host, port }) => serverAddress(host, port) === null);
      const isEncrypted = targets.some(({ endpoints }) => endpoints.some(({ entry }) => entry !== undefined));
      const words = [
        ...(named === undefined ? [] : [`"${named.host}" is no IP address`]),
        ...(isEncrypted
          ? ["instances on other machines get nothing from here, because traffic to them is encrypted, which the embedded router does"]
          : []),
        ...(shortcomings.get(id) ?? []),
      ];
      if (words.length > 0) this.#report(id, null, "ROUTE_PARTLY_CARRIED", words.join("; "));
      else this.#logged.delete(id);
    }
  }

  /** Takes out what HAProxy named when it refused a configuration. False if it named nothing that can be taken out. */
  learn(words: string, { owners }: Config, slots: Slots): boolean {
    const before = this.#refused.size;
    const routes = [...slots.values()].filter((route) => route !== null);
    for (const refusal of refusedLines(words)) {
      const route = routes.find(({ id }) => id === owners.get(refusal.line));
      if (route !== undefined) this.#refused.set(route.id, { route, words: refusal.words });
    }
    for (const port of takenPorts(words))
      for (const route of routes)
        if (portOf(route) === port) this.#refused.set(route.id, { route, words: `HAProxy could not listen on port ${port}` });
    return this.#refused.size > before;
  }

  /** False: it is a problem now, because somebody else has its port. */
  async #holdSocket({ id, listener }: Route, http: Address | null, sockets: Sockets): Promise<boolean> {
    const address = listenAddress(listener, http);
    if (address === null) return true;
    try {
      await sockets.hold(address);
      return true;
    } catch (error) {
      const code = hasCode(error, "EADDRINUSE") ? "PORT_IN_USE" : "INTERNAL";
      this.#report(id, address.port, code, error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  #report(route: RouteId, port: number | null, code: string, message: string): void {
    const text = `${code}: ${message}`;
    if (this.#logged.get(route) !== text) this.#log.warn("route is not carried as it is wanted", { route, port, code, error: message });
    this.#logged.set(route, text);
    this.#problems.set(route, { route, port, code, message });
  }
}

function portOf({ listener }: Route): number | null {
  return listener.kind === "service" || listener.kind === "port" ? listener.port : null;
}

/** Why HAProxy cannot carry a route at all; null if it can. */
function unable(route: Route, { http, https }: PublicAddresses): string | null {
  const { listener } = route;
  if (listener.kind === "port" && listener.protocol === "udp") return "HAProxy carries no UDP";
  // Served to everybody it would be open, so it is served to nobody.
  if (route.policy?.tls?.client !== undefined) return "the router HAProxy does not ask clients for certificates";
  if (listener.kind === "passthrough" && http !== null && https === null) return "the edge has no TLS port";
  return misplaced(route);
}
