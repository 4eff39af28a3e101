import { type Check, checkId, type ExpandedCheck } from "#model/check.ts";
import type { Target, Topology } from "#model/target.ts";

/** Every check at every target that it is for, in the order of the checks, then of the topology. */
export function expandChecks(checks: readonly Check[], topology: Topology): readonly ExpandedCheck[] {
  const targets: Readonly<Record<Check["each"], readonly Target[]>> = {
    space: ["space"],
    pool: topology.pools.map(({ name }): Target => `pool/${name}`),
    machine: topology.machines.map(({ name }): Target => `machine/${name}`),
    app: topology.apps.map((name): Target => `app/${name}`),
  };
  return checks.flatMap((check) =>
    targets[check.each]
      .filter((target) => check.app === null || target === `app/${check.app}`)
      .map((target) => ({ id: checkId(check.name, target), check, target })),
  );
}
