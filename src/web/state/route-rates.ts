import type { RouteTrafficView, RouteView } from "#model/api-routes.ts";

/** What took a way between two looks. */
export interface Rates {
  /** Each second. */
  readonly requests: number;
  /** Of these, 0 to 1; null without requests. */
  readonly errorShare: number | null;
}

export interface RouteLook {
  readonly routes: readonly RouteView[];
  /** By route; none until it was looked at twice. */
  readonly byRoute: ReadonlyMap<string, Rates>;
  /** By release, over the app's HTTP routes; none until it was looked at twice. */
  readonly byRelease: ReadonlyMap<number, Rates>;
}

/** Routes as they were at one moment, on a clock that never jumps. */
export interface Look {
  readonly routes: readonly RouteView[];
  readonly atMs: number;
}

/** @param before null: there was no look before */
export function compareLooks(before: Look | null, now: Look): RouteLook {
  const passedMs = before === null ? 0 : now.atMs - before.atMs;
  if (before === null || passedMs <= 0) return { routes: now.routes, byRoute: new Map(), byRelease: new Map() };
  const carried = (look: Look) => look.routes.filter(({ kind, traffic }) => kind === "http" && traffic !== null);
  const byRoute = new Map<string, RouteTrafficView>();
  const byTarget = new Map<string, RouteTrafficView>();
  for (const { id, traffic, targets } of carried(before)) {
    if (traffic !== null) byRoute.set(id, traffic);
    for (const target of targets) if (target.traffic !== null) byTarget.set(`${id} ${target.release}`, target.traffic);
  }
  const grown = new Map<number, Grown>();
  for (const { id, targets } of carried(now)) {
    for (const { release, traffic } of targets) {
      if (traffic === null) continue;
      const more = growth(byTarget.get(`${id} ${release}`), traffic);
      const known = grown.get(release) ?? { requests: 0, errors: 0 };
      grown.set(release, { requests: known.requests + more.requests, errors: known.errors + more.errors });
    }
  }
  return {
    routes: now.routes,
    byRoute: new Map(
      carried(now).flatMap(({ id, traffic }) =>
        traffic === null ? [] : [[id, ratesOf(growth(byRoute.get(id), traffic), passedMs)] as const],
      ),
    ),
    byRelease: new Map([...grown].map(([release, more]) => [release, ratesOf(more, passedMs)])),
  };
}

interface Grown {
  readonly requests: number;
  readonly errors: number;
}

/** What was not there before counts from zero, as does an edge that was replaced. */
function growth(before: RouteTrafficView | undefined, now: RouteTrafficView): Grown {
  const isSame = before !== undefined && now.requests >= before.requests && now.errors >= before.errors;
  return isSame ? { requests: now.requests - before.requests, errors: now.errors - before.errors } : now;
}

function ratesOf({ requests, errors }: Grown, passedMs: number): Rates {
  return { requests: requests / (passedMs / 1_000), errorShare: requests === 0 ? null : errors / requests };
}
