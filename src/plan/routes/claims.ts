import type { RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { sameData } from "#model/same-data.ts";

/** A route that an app wants, with what decides between two that want the same. */
export interface Claim {
  readonly route: Route;
  readonly appCreatedAtMs: number;
}

/** Of claims to the same host and path, or the same port, the one of the oldest app: a newcomer must not take traffic from what works. */
export function winner(claims: readonly Claim[]): Claim | null {
  const ranked = [...claims].sort((a, b) => a.appCreatedAtMs - b.appCreatedAtMs || (a.route.id < b.route.id ? -1 : 1));
  return ranked[0] ?? null;
}

export interface RouteDifference {
  readonly set: readonly Route[];
  readonly remove: readonly RouteId[];
}

/** What has to change at `changed` so that `before` becomes `after`; both by route id. In the order of `changed`. */
export function diffRoutes(
  changed: Iterable<RouteId>,
  before: ReadonlyMap<RouteId, Route>,
  after: ReadonlyMap<RouteId, Route>,
): RouteDifference {
  const set: Route[] = [];
  const remove: RouteId[] = [];
  for (const id of changed) {
    const route = after.get(id);
    if (route === undefined) {
      if (before.has(id)) remove.push(id);
    } else if (!isSame(before.get(id), route)) set.push(route);
  }
  return { set, remove };
}

export function isSame(a: Route | undefined, b: Route | undefined): boolean {
  return sameData(a, b);
}
