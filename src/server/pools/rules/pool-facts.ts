import type { BuiltInAction, Ladder, LevelAction } from "#model/ladder.ts";
import { type AppName, appId, type MachineId } from "#model/names.ts";
import { isOfPool, machineOf, type Pool, type PoolRules } from "#model/pool.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import { suits } from "#plan/placement/plan-placement.ts";
import { type PoolInput, type PoolMachine, shareOf } from "#plan/pools/pool.ts";
import type { Shortage } from "#plan/pools/shortage.ts";
import type { Core } from "../../controllers/core.ts";
import { spaceLadder } from "../../escalator/space-ladder.ts";
import { ladderObjects } from "../../objects/ladder-objects.ts";
import { keys, objects, parse } from "../../objects/objects.ts";
import { keptNames, numberOf, type PoolSize, type SizedMachine } from "../../objects/pool-size.ts";
import type { Store } from "../../store/store.ts";
import type { PoolWatch } from "../pool-watch.ts";
import type { PoolCalls } from "./pool-calls.ts";

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
  readonly pools: PoolWatch;
  readonly calls: Pick<PoolCalls, "failureOf" | "failed">;
}

export type AppShortage = Shortage & { readonly app: AppName };

/** What waits for room in the spaces of these pools, in the order of its apps. A pool is meant if one more machine of it could take that. */
export function shortagesOf(
  { store, core }: PoolFactsOptions,
  pools: readonly Pool[],
  since: Since,
  nowMs: number,
): readonly AppShortage[] {
  return [...new Set(pools.map(({ space }) => space))].flatMap((space) =>
    objects.apps(store, space).flatMap(({ value: { name, stopped, destroying } }) => {
      if (stopped || destroying) return [];
      return core.apps.progress(appId(space, name)).unplaced.flatMap(({ name: process, instances, resources, rules }) => {
        const meant = pools.filter(
          (pool) => pool.space === space && suits({ id: machineOf(pool.name, 1), labels: { pool: pool.name } }, rules),
        );
        // What is bound to a machine by its volumes is not helped by another.
        if (rules.only !== null || meant.length === 0) return [];
        const sinceMs = since.of(`short ${space}/${name}.${process}`, nowMs);
        const each = { cores: resources.cpu ?? 0, memoryBytes: resources.memoryBytes ?? 0 };
        return { app: name, name: `${name}.${process}`, instances, ...each, sinceMs, pools: new Set(meant.map((pool) => pool.name)) };
      });
    }),
  );
}

/** Machines that have volumes of an app; of one that is stopped too. */
export function machinesWithVolumes(store: Store): ReadonlySet<MachineId> {
  return new Set(store.list(keys.homes).map((entry) => parse<{ readonly machine: MachineId }>(entry).value.machine));
}

/** Whether nothing runs on the machine, and nothing was told to. */
export function runsNothing({ fleet }: PoolFactsOptions["core"], machine: MachineId): boolean {
  const ordered = fleet.rooms().find(({ id }) => id === machine)?.instances ?? 0;
  return ordered === 0 && fleet.instancesOn(machine) === 0;
}

/** Why a machine is not taken away, whatever it runs; null: nothing keeps it. */
export function keptBy(options: PoolFactsOptions, machine: MachineId): string | null {
  const { store, core } = options;
  if (core.fleet.machines().some(({ id, isRemote }) => id === machine && !isRemote)) return "the server runs there";
  return machinesWithVolumes(store).has(machine) ? "it has volumes of an app" : null;
}

/** Everything that the rules of a pool decide by. */
export function poolFacts(options: PoolFactsOptions, pool: RuledPool, size: PoolSize | null, since: Since, nowMs: number): PoolInput {
  const { store, core, pools, calls } = options;
  const rooms = new Map(core.fleet.rooms().map((room) => [room.id, room]));
  const view = pools.view(pool.space, pool.name);
  const knows = view !== null && view.problem === null;
  const linked = new Set(core.fleet.machines().flatMap(({ id, peer, isKnown }) => (peer !== null && isKnown ? id : [])));
  const machines = sizedMachines(pool, size).map(({ name, state, sinceMs }): PoolMachine => {
    const known = linked.has(name) ? rooms.get(name) : undefined;
    const room = known === undefined ? null : { ...known, isOpen: !known.isCordoned };
    const isIdle = room !== null && runsNothing(core, name);
    return {
      ...{ name, state, sinceMs, room },
      idleSinceMs: isIdle ? since.of(`idle ${name}`, nowMs) : null,
      keptBy: keptBy(options, name),
      isAbsent: knows && !view.machines.has(name),
      trouble: view?.machines.get(name)?.problem?.message ?? calls.failureOf(name),
    };
  });
  const isBusy = shareOf(machines) > pool.rules.busyShare;
  const silent = [...(view?.machines.values() ?? [])].flatMap(({ name, problem }) => (problem === undefined ? [] : name));
  return {
    space: pool.space,
    name: pool.name,
    rules: pool.rules,
    machines,
    given:
      pool.provider.kind === "redfish" ? { count: pool.provider.machines.length, unusable: new Set([...silent, ...calls.failed()]) } : null,
    isMended: makesMachines(spaceLadder(store, pool.space)),
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

const makers: readonly string[] = [
  "space.restore",
  "pool.create",
  "machine.replace",
  "machine.converge",
] satisfies readonly BuiltInAction[];

/** Whether a ladder makes machines that should be there and are not. */
function makesMachines(ladder: Ladder | null): boolean {
  const isMaker = (action: LevelAction) => action.kind === "built-in" && makers.includes(action.name);
  return (ladder?.levels ?? []).some(
    ({ action, remedies }) => isMaker(action) || remedies.some((remedy) => remedy.kind === "action" && isMaker(remedy.action)),
  );
}
