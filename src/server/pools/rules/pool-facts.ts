import { type AppName, appId, type MachineId } from "#model/names.ts";
import { isOfPool, type Pool, type PoolRules } from "#model/pool.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import { suits } from "#plan/placement/plan-placement.ts";
import { type PoolInput, type PoolMachine, shareOf } from "#plan/pools/plan-pool.ts";
import type { Shortage } from "#plan/pools/shortage.ts";
import type { Core } from "../../controllers/core.ts";
import { ladderObjects } from "../../objects/ladder-objects.ts";
import { keys, objects, parse } from "../../objects/objects.ts";
import { keptNames, numberOf, type PoolSize, type SizedMachine } from "../../objects/pool-size.ts";
import type { Store } from "../../store/store.ts";

export type RuledPool = Pool & { readonly rules: PoolRules };

/** What was seen before, so that it can be said since when something is as it is. In memory alone: a server that starts waits for as long again. */
export class Since {
  readonly #since = new Map<string, number>();
  readonly #seen = new Set<string>();

  /** Since when it has been so, without a look at which it was not. */
  of(what: string, nowMs: number): number {
    const atMs = this.#since.get(what) ?? nowMs;
    this.#since.set(what, atMs);
    this.#seen.add(what);
    return atMs;
  }

  /** Forgets what was not so at this look. */
  endLook(): void {
    for (const what of this.#since.keys()) if (!this.#seen.has(what)) this.#since.delete(what);
    this.#seen.clear();
  }
}

export interface PoolFactsOptions {
  readonly store: Store;
  readonly core: Pick<Core, "fleet" | "apps">;
}

/** What waits for room in a pool's space, in the order of its apps. A pool is meant if one more machine of it could take that. */
export function shortagesOf(
  { store, core }: PoolFactsOptions,
  pool: Pool,
  since: Since,
  nowMs: number,
): readonly (Shortage & { readonly app: AppName })[] {
  const machine = { id: `${pool.name}-1` as MachineId, labels: { pool: pool.name } };
  return objects.apps(store, pool.space).flatMap(({ value: { name, stopped, destroying } }) => {
    if (stopped || destroying) return [];
    return core.apps.progress(appId(pool.space, name)).unplaced.flatMap(({ name: process, instances, resources, rules }) => {
      // What is bound to a machine by its volumes is not helped by another.
      if (rules.only !== null || !suits(machine, rules)) return [];
      const words = `${name}.${process}`;
      const sinceMs = since.of(`short ${pool.space}/${words}`, nowMs);
      return { app: name, name: words, instances, cores: resources.cpu ?? 0, memoryBytes: resources.memoryBytes ?? 0, sinceMs };
    });
  });
}

/** Everything that the rules of a pool decide by. */
export function poolFacts(
  options: PoolFactsOptions,
  pool: RuledPool,
  size: PoolSize | null,
  shortages: readonly Shortage[],
  since: Since,
  nowMs: number,
): PoolInput {
  const { store, core } = options;
  const rooms = new Map(core.fleet.rooms().map((room) => [room.id, room]));
  // An app that is stopped has its volumes there all the same.
  const homes = new Set(store.list(keys.homes).map((entry) => parse<{ readonly machine: MachineId }>(entry).value.machine));
  const linked = new Set(core.fleet.machines().flatMap(({ id, peer, isKnown }) => (peer !== null && isKnown ? id : [])));
  const machines = sizedMachines(pool, size).map(({ name, state, sinceMs }): PoolMachine => {
    const known = linked.has(name) ? rooms.get(name) : undefined;
    const room = known === undefined ? null : { ...known, isOpen: !known.isCordoned };
    const isIdle = room !== null && room.instances === 0 && core.fleet.instancesOn(name) === 0 && !homes.has(name);
    return { name, state, sinceMs, room, idleSinceMs: isIdle ? since.of(`idle ${name}`, nowMs) : null };
  });
  const isBusy = shareOf(machines) > pool.rules.busyShare;
  return {
    name: pool.name,
    rules: pool.rules,
    machines,
    shortages,
    busySinceMs: isBusy ? since.of(`busy ${pool.name}`, nowMs) : null,
    heldBy: heldBy(store, pool, nowMs),
    addedAtMs: size?.addedAtMs ?? [],
    changedAtMs: size?.changedAtMs ?? null,
    nowMs,
  };
}

/** What is kept, comes and leaves, by number. */
export function sizedMachines(pool: RuledPool, size: PoolSize | null): readonly SizedMachine[] {
  const known = new Map((size?.machines ?? []).map((machine) => [machine.name, machine]));
  const kept = keptNames(size ?? { machines: [], addedAtMs: [], changedAtMs: null }, pool.name, pool.rules);
  const all = new Map([...known, ...kept.map((name) => [name, known.get(name) ?? { name, state: "kept", sinceMs: 0 }] as const)]);
  return [...all.values()].sort((a, b) => numberOf(a.name) - numberOf(b.name));
}

/** Who else acts on the pool's machines, or has said that nobody shall. */
function heldBy(store: Store, { space, name }: Pool, nowMs: number): string | null {
  const isOurs = (target: Target) => {
    const scope = scopeOf(target);
    return scope === "space" || target === `pool/${name}` || (scope === "machine" && isOfPool(nameOf(target) as MachineId, name));
  };
  const run = ladderObjects.escalations(store, space).find(({ value }) => value.outcome === null && isOurs(value.target));
  if (run !== undefined) return `a run of the ladder is at work on ${run.value.target}`;
  const pause = ladderObjects.pauses(store, space).find(({ value }) => value.untilMs > nowMs && isOurs(value.target));
  if (pause !== undefined) return `${pause.value.target} is paused`;
  return ladderObjects.switches(store, space)?.value.isDryRun === true ? "the ladder only says what it would do" : null;
}
