import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { Server } from "./config.ts";
import { serverAddress } from "./quoting.ts";

/** HAProxy's largest. A server has 16 places on the ring per unit, so shares come out within a few percent. */
const largestWeight = 256;
/** Where all take the same, few places do: the less busy of two is chosen anyway, and 50,000 servers have to fit into memory. */
const equalWeight = 4;

export interface NamedServer extends Server {
  readonly route: RouteId;
  readonly release: number;
  readonly instance: InstanceId;
}

/** Gives one name to one endpoint of one release at one backend, for good: counters and connections are told apart by it, over all processes. */
export type NameServer = (key: string) => string;

/** The servers of a route's backend, each release's weight shared by its endpoints. Endpoints that are no IP addresses are left out. */
export function serversOf(route: Route, backend: string, nameOf: NameServer): readonly NamedServer[] {
  const shares = route.targets.map(({ weight, endpoints }) => (endpoints.length === 0 ? 0 : weight / endpoints.length));
  const largest = Math.max(0, ...shares);
  const isEqual = shares.every((share) => share === 0 || share === largest);
  const servers: NamedServer[] = [];
  const seen = new Set<string>();
  route.targets.forEach(({ release, endpoints }, at) => {
    const share = shares[at] as number;
    const weight = share === 0 ? 0 : isEqual ? equalWeight : Math.max(1, Math.round((share / largest) * largestWeight));
    for (const { instance, host, port, entry } of endpoints) {
      // Never plainly what is to be encrypted.
      if (entry !== undefined) continue;
      const address = serverAddress(host, port);
      const key = `${backend}\n${route.id}\n${release}\n${instance}\n${address}`;
      if (address === null || seen.has(key)) continue;
      seen.add(key);
      servers.push({ name: nameOf(key), address, weight, route: route.id, release, instance });
    }
  });
  return servers;
}

/** Routes to the numbers of their backends; null: a spare backend. */
export type Slots = ReadonlyMap<number, Route | null>;

/** Spare backends, so that the next routes need no reload. */
function sparesFor(routes: number): number {
  return Math.min(256, Math.max(8, Math.ceil(routes / 8)));
}

/** Every route keeps its backend, new ones take spare ones; more are made only when these run out. */
export function assignSlots(before: Slots, routes: ReadonlyMap<RouteId, Route>): Slots {
  const slots = new Map<number, Route | null>();
  const placed = new Set<RouteId>();
  for (const [slot, had] of before) {
    const route = had === null ? undefined : routes.get(had.id);
    slots.set(slot, route ?? null);
    if (route !== undefined) placed.add(route.id);
  }
  const missing = [...routes.values()].filter(({ id }) => !placed.has(id));
  // Those that were spare before come first: in the others something may still be under way.
  const spare = [...slots.keys()].filter((slot) => slots.get(slot) === null).sort((a, b) => rank(before, a) - rank(before, b) || a - b);
  for (const route of missing.splice(0, spare.length)) slots.set(spare.shift() as number, route);
  if (missing.length === 0 && slots.size > 0) return slots;
  const from = Math.max(0, ...slots.keys()) + 1;
  missing.forEach((route, at) => void slots.set(from + at, route));
  const spares = sparesFor(routes.size);
  for (let at = 0; at < spares; at++) slots.set(from + missing.length + at, null);
  return slots;
}

function rank(before: Slots, slot: number): number {
  return before.get(slot) === null ? 0 : 1;
}
