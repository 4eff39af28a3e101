import { type AppName, appId, type MachineId, type SpaceName } from "#model/names.ts";
import type { Topology } from "#model/target.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

/**
 * What there is in a space, as far as escalations are concerned: its apps, and the machines that run or ran them. An app that a person stopped, or
 * that is leaving, is left out: that it does not answer is what was wanted.
 */
export function topologyOf(store: Store, fleet: Fleet, space: SpaceName): Topology {
  const apps: AppName[] = [];
  const onMachine = new Map<MachineId, AppName[]>(fleet.machines().map(({ id }) => [id, []]));
  for (const { value } of objects.apps(store, space)) {
    if (value.stopped || value.destroying) continue;
    apps.push(value.name);
    const machines = new Set(fleet.workloads(appId(space, value.name)).map(({ machine }) => machine));
    for (const machine of machines) onMachine.get(machine)?.push(value.name);
  }
  return {
    pools: [],
    machines: [...onMachine].map(([name, own]) => ({ name, pool: null, apps: own })),
    apps,
  };
}
