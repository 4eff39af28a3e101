import { type AppName, appId, type MachineId, type SpaceName } from "#model/names.ts";
import { machinesOf, type Pool } from "#model/pool.ts";
import type { Topology } from "#model/target.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { runsThere } from "../fleet/known.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

/**
 * What there is in a space, as far as escalations are concerned: its apps, and its pools with the machines that they should have, be they there or not. In a
 * space without pools, all machines that there are: its apps may run on any of them. An app that a person stopped, or that is leaving, is left out: that it
 * does not answer is what was wanted. What a lost machine ran counts as there until it is back: who looks after the machine has to know.
 */
export function topologyOf(store: Store, fleet: Fleet, pools: readonly Pool[], space: SpaceName): Topology {
  const apps: AppName[] = [];
  const poolOf = new Map<MachineId, Pool>(pools.flatMap((pool) => machinesOf(pool).map((name) => [name, pool] as const)));
  const machines = pools.length > 0 ? [...poolOf.keys()] : fleet.machines().map(({ id }) => id);
  const onMachine = new Map<MachineId, AppName[]>(machines.map((id) => [id, []]));
  const lost = fleet.machines().filter(({ gaveUp }) => gaveUp.size > 0);
  for (const { value } of objects.apps(store, space)) {
    if (value.stopped || value.destroying) continue;
    apps.push(value.name);
    const id = appId(space, value.name);
    const own = new Set([
      ...fleet.workloads(id).flatMap((workload) => (runsThere(workload) ? workload.machine : [])),
      ...lost.flatMap((machine) => (machine.gaveUp.has(id) ? machine.id : [])),
    ]);
    for (const machine of own) onMachine.get(machine)?.push(value.name);
  }
  return {
    pools: pools.map(({ name, healthy }) => ({ name, minHealthy: healthy })),
    machines: [...onMachine].map(([name, own]) => ({ name, pool: poolOf.get(name)?.name ?? null, apps: own })),
    apps,
  };
}
