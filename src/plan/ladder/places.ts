import { type Scope, scopeOf, type Target, type Topology } from "#model/target.ts";

interface Place {
  /** The pool of a machine. */
  readonly pool: Target | null;
  /** What it is wholly inside of, itself among it. An app is inside a machine or a pool when all of it runs there. */
  readonly around: ReadonlySet<Target>;
  /** Everything from where a run would reach it: what is around it, and where a part of it runs. */
  readonly above: ReadonlySet<Target>;
  /** What a run on it reaches, by scope and name: what is inside it, and the apps that (also) run there. */
  readonly reached: Readonly<Record<Scope, Target[]>>;
}

/** Which target is inside which, worked out once, so that no question about it costs more in a larger space. */
export interface Places {
  readonly of: ReadonlyMap<Target, Place>;
  readonly minHealthy: ReadonlyMap<Target, number>;
}

export function arrangePlaces({ pools, machines, apps }: Topology): Places {
  const of = new Map<Target, Place>();
  const place = (target: Target, pool: Target | null, around: readonly Target[], above: readonly Target[] = []) => {
    const own: readonly Target[] = [target, ...around, "space"];
    of.set(target, {
      pool,
      around: new Set(own),
      above: new Set([...own, ...above]),
      reached: { space: [], pool: [], machine: [], app: [] },
    });
  };
  place("space", null, []);
  for (const { name } of pools) place(`pool/${name}`, null, []);
  const homes = new Map<string, { readonly machine: Target; readonly pool: Target | null }[]>(apps.map((app) => [app, []]));
  for (const { name, pool: poolName, apps: own } of machines) {
    const machine: Target = `machine/${name}`;
    const pool: Target | null = poolName === null ? null : `pool/${poolName}`;
    place(machine, pool, pool === null ? [] : [pool]);
    for (const app of own) homes.get(app)?.push({ machine, pool });
  }
  for (const [app, runsOn] of homes) {
    const above = runsOn.flatMap(({ machine, pool }) => (pool === null ? [machine] : [machine, pool]));
    const isWhole = (outer: Target) => runsOn.every(({ machine, pool }) => machine === outer || pool === outer);
    place(`app/${app}`, null, [...new Set(above)].filter(isWhole), above);
  }
  for (const target of [...of.keys()].sort())
    for (const outer of above({ of }, target)) of.get(outer)?.reached[scopeOf(target)].push(target);
  return { of, minHealthy: new Map(pools.map(({ name, minHealthy }) => [`pool/${name}`, minHealthy])) };
}

/** What a target is wholly inside of, itself among it. One that is no longer there is inside the space only. */
export function around({ of }: Pick<Places, "of">, target: Target): ReadonlySet<Target> {
  return of.get(target)?.around ?? new Set([target, "space"]);
}

/** From where a run would reach a target. */
export function above({ of }: Pick<Places, "of">, target: Target): ReadonlySet<Target> {
  return of.get(target)?.above ?? new Set([target, "space"]);
}

/** Whether what happens in one of them happens in the other too. */
export function touches(places: Places, a: Target, b: Target): boolean {
  return above(places, a).has(b) || above(places, b).has(a);
}

/** The targets of `scope` that a run on `target` reaches, by name. */
export function targetsInside({ of }: Places, target: Target, scope: Scope): readonly Target[] {
  return of.get(target)?.reached[scope] ?? (scopeOf(target) === scope ? [target] : []);
}

/** The target of `scope` around `target`; `target` itself when it is as wide; null when there is not exactly one. */
export function widen({ of }: Places, target: Target, scope: Scope): Target | null {
  if (scope === "space") return "space";
  if (scope === "pool" && scopeOf(target) === "machine") return of.get(target)?.pool ?? null;
  return scopeOf(target) === "app" && scope !== "app" ? null : target;
}
