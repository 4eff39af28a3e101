import { type Scope, scopeOf, type Target, type Topology } from "#model/target.ts";

interface Place {
  readonly pool: Target | null;
  readonly machines: ReadonlySet<Target>;
  readonly apps: ReadonlySet<Target>;
}

const nowhere: Place = { pool: null, machines: new Set(), apps: new Set() };

/** Which target is inside which. An app is inside a machine or a pool when all of it runs there, and touches every machine that it runs on. */
export interface Places {
  readonly topology: Topology;
  readonly of: ReadonlyMap<Target, Place>;
  /** All targets of a scope, by name. */
  readonly all: Readonly<Record<Scope, readonly Target[]>>;
  readonly minHealthy: ReadonlyMap<Target, number>;
}

export function arrangePlaces(topology: Topology): Places {
  const of = new Map<Target, { pool: Target | null; machines: Set<Target>; apps: Set<Target> }>();
  const place = (target: Target, pool: Target | null = null) => {
    const known = of.get(target);
    if (known !== undefined) return known;
    const fresh = { pool, machines: new Set<Target>(), apps: new Set<Target>() };
    of.set(target, fresh);
    return fresh;
  };
  for (const { name } of topology.pools) place(`pool/${name}`);
  for (const name of topology.apps) place(`app/${name}`);
  for (const { name, pool, apps } of topology.machines) {
    const machine: Target = `machine/${name}`;
    const poolTarget: Target | null = pool === null ? null : `pool/${pool}`;
    const own = place(machine, poolTarget);
    if (poolTarget !== null) place(poolTarget).machines.add(machine);
    for (const app of apps) {
      own.apps.add(`app/${app}`);
      place(`app/${app}`).machines.add(machine);
      if (poolTarget !== null) place(poolTarget).apps.add(`app/${app}`);
    }
  }
  const named = (scope: Scope) => [...of.keys()].filter((target) => scopeOf(target) === scope).sort();
  return {
    topology,
    of,
    all: { space: ["space"], pool: named("pool"), machine: named("machine"), app: named("app") },
    minHealthy: new Map(topology.pools.map(({ name, minHealthy }) => [`pool/${name}` as Target, minHealthy])),
  };
}

/** Whether `inner` is wholly inside `outer`, or is it. A target that is no longer there is inside the space only. */
export function contains(places: Places, outer: Target, inner: Target): boolean {
  if (outer === inner || outer === "space") return true;
  const { pool, machines } = places.of.get(inner) ?? nowhere;
  if (scopeOf(outer) === "pool") {
    if (scopeOf(inner) === "machine") return pool === outer;
    return scopeOf(inner) === "app" && machines.size > 0 && [...machines].every((machine) => places.of.get(machine)?.pool === outer);
  }
  return scopeOf(outer) === "machine" && scopeOf(inner) === "app" && machines.size === 1 && machines.has(outer);
}

/** Whether what happens in one of them happens in the other too. */
export function touches(places: Places, a: Target, b: Target): boolean {
  if (contains(places, a, b) || contains(places, b, a)) return true;
  return (places.of.get(a)?.apps.has(b) ?? false) || (places.of.get(b)?.apps.has(a) ?? false);
}

/** The targets of `scope` that a run on `target` reaches: those inside it, and the apps that (also) run there. */
export function targetsInside(places: Places, target: Target, scope: Scope): readonly Target[] {
  if (scopeOf(target) === scope) return [target];
  if (target === "space") return places.all[scope];
  const { machines, apps } = places.of.get(target) ?? nowhere;
  if (scope === "machine" && scopeOf(target) === "pool") return [...machines].sort();
  return scope === "app" ? [...apps].sort() : [];
}

/** The target of `scope` around `target`; `target` itself when it is as narrow; null when there is not exactly one. */
export function widen(places: Places, target: Target, scope: Scope): Target | null {
  if (scope === "space") return "space";
  if (scope === "pool" && scopeOf(target) === "machine") return places.of.get(target)?.pool ?? null;
  return scopeOf(target) === "app" && scope !== "app" ? null : target;
}
