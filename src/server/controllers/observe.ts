import type { AppId } from "#model/names.ts";
import type { ObservedWorkload } from "#plan/rollout/input.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { KnownWorkload } from "../fleet/known.ts";

/** What planners are told of an app: one entry for each workload on each machine. */
export function observe(fleet: Fleet, app: AppId, isCurrent: (workload: KnownWorkload) => boolean): readonly ObservedWorkload[] {
  return fleet.workloads(app).map((workload) => ({
    id: workload.id,
    process: workload.name.process,
    release: workload.name.release,
    kind: workload.kind,
    machine: workload.machine,
    isReachable: fleet.agentOn(workload.machine) !== null,
    revision: workload.revision,
    count: workload.count,
    mayHave: workload.mayHave,
    isRemoving: workload.isRemoving,
    isCurrent: isCurrent(workload),
    reason: workload.status?.reason ?? null,
    instances: [...workload.instances.values()],
  }));
}
