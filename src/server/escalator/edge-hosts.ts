import type { OutgoingAddress, ResolveOutgoing } from "#host/outgoing.ts";
import type { CheckOrder } from "#model/check-orders.ts";
import type { MachineId } from "#model/names.ts";
import type { RoutesController } from "../controllers/routes-controller.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

/** Hosts that the apps' routes give to Drover's own edge. */
export class EdgeHosts {
  readonly #store: Store;
  #hosts: ReadonlySet<string> | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Apps changed, so their hosts may have. */
  changed(): void {
    this.#hosts = null;
  }

  all(): readonly string[] {
    return [...this.#known()];
  }

  has(host: string): boolean {
    const hosts = this.#known();
    if (hosts.has(host)) return true;
    const dot = host.indexOf(".");
    return dot !== -1 && hosts.has(`*${host.slice(dot)}`);
  }

  #known(): ReadonlySet<string> {
    this.#hosts ??= new Set(
      objects.apps(this.#store).flatMap(({ value }) => value.routes.flatMap((route) => ("host" in route ? [route.host] : []))),
    );
    return this.#hosts;
  }

  /** Leads the edge's hosts to the edge, although it may be on loopback, and judges all others. */
  resolver(edge: () => OutgoingAddress, others: ResolveOutgoing): ResolveOutgoing {
    return async (host) => (this.has(host) ? edge() : others(host));
  }
}

/**
 * Where the edge's hosts are called from a machine: at its own edge, or, where that takes nothing from outside, at one that does.
 * @param own where each machine's edge is called there @param machine null: the server's
 */
export function edgeSeenFrom(
  machine: MachineId | null,
  own: OutgoingAddress,
  { fleet, routes }: { readonly fleet: Pick<Fleet, "addressOf" | "agent">; readonly routes: Pick<RoutesController, "edges" | "isPublic"> },
): NonNullable<CheckOrder["edge"]> {
  const here = machine ?? fleet.agent?.machine;
  if (here === undefined || routes.isPublic(here) !== false) return own;
  const others = routes.edges.flatMap((edge) =>
    edge.isLinked && routes.isPublic(edge.machine) ? (fleet.addressOf(edge.machine) ?? []) : [],
  );
  const address = others.sort()[0];
  return address === undefined ? own : { address, family: address.includes(":") ? 6 : 4, isOther: true };
}
