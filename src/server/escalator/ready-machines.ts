import type { MachineId, PoolName } from "#model/names.ts";
import type { PoolWatch } from "../pools/pool-watch.ts";
import { viewPool } from "../pools/view-pool.ts";
import type { SpaceScene } from "./space-scene.ts";

/** How many machines of a pool are on, without a check that fails there: what its provider says of them is not enough, they may be on and do nothing. */
export function countReadyMachines(watch: PoolWatch, scene: SpaceScene, name: PoolName): number {
  const pool = watch.pools(scene.space).find((one) => one.name === name);
  return pool === undefined ? 0 : viewPool(watch, pool, (machine) => failingChecksAt(scene, machine)).ready;
}

/** Names of the checks that fail at a machine. */
export function failingChecksAt({ index, book }: SpaceScene, machine: MachineId): readonly string[] {
  const checks = index.checksAt.get(`machine/${machine}`) ?? [];
  return checks.flatMap(({ id, check }) => (book.states.get(id)?.verdict === "failing" ? [check.name] : []));
}
