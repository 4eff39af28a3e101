import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import { machineOf, type PoolRules } from "#model/pool.ts";
import type { SizedState } from "#plan/pools/pool.ts";
import type { Store } from "../store/store.ts";
import { read } from "./objects.ts";

/** Which machines a pool with rules has; below `/pool-sizes/<space>/<pool>`. */
export interface PoolSize {
  /** By number. What is kept is the Escalator's to mend; what comes or leaves is the rules' own. */
  readonly machines: readonly SizedMachine[];
  /** When machines were added within the last hour, in epoch milliseconds. */
  readonly addedAtMs: readonly number[];
  /** When one was added or taken away last; null: never. */
  readonly changedAtMs: number | null;
}

export interface SizedMachine {
  readonly name: MachineId;
  readonly state: SizedState;
  /** Since when it is in this state. */
  readonly sinceMs: number;
}

export const poolSizeKeys = {
  pool: (space: SpaceName, pool: PoolName) => `/pool-sizes/${space}/${pool}`,
  pools: (space: SpaceName) => `/pool-sizes/${space}/`,
} as const;

export const readPoolSize = (store: Store, space: SpaceName, pool: PoolName) => read<PoolSize>(store, poolSizeKeys.pool(space, pool));

/** Those that should be there; with those that come never fewer than the rules say. */
export function keptNames({ machines }: PoolSize, pool: PoolName, { min }: Pick<PoolRules, "min">): readonly MachineId[] {
  const kept = machines.flatMap(({ name, state }) => (state === "kept" ? name : []));
  const others = new Set(machines.map(({ name }) => name));
  const coming = machines.filter(({ state }) => state === "coming").length;
  for (let number = 1; kept.length + coming < min; number++) if (!others.has(machineOf(pool, number))) kept.push(machineOf(pool, number));
  return kept.sort((a, b) => numberOf(a) - numberOf(b));
}

export function numberOf(machine: MachineId): number {
  return Number(machine.slice(machine.lastIndexOf("-") + 1));
}
