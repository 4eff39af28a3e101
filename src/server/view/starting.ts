import type { ProcessStatus } from "#model/api.ts";
import type { App } from "#model/app.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import type { KnownWorkload } from "../fleet/known.ts";

/**
 * Whether all that is missing of the app is on its way because somebody asked for it (a start, a restart, more instances) and nothing has failed so
 * far. It gets as long as a deploy, `deploy.deadline`; what is not ready by then is degraded or down like anything else.
 */
export function isStarting(
  app: Pick<App, "target" | "deploy">,
  processes: readonly Pick<ProcessStatus, "name" | "wanted" | "ready">[],
  workloads: readonly Pick<KnownWorkload, "name" | "kind" | "count" | "instances" | "status">[],
  nowMs: number,
): boolean {
  return processes
    .filter(({ ready, wanted }) => ready < wanted)
    .every(({ name, wanted }) => {
      const workload = workloads.find((one) => one.kind === "service" && one.name.process === name && one.name.release === app.target);
      // Not ordered yet: the controller is about to.
      if (workload === undefined) return true;
      if (workload.status?.reason) return false;
      const missing = [...workload.instances.values()].filter((instance) => !isReady(instance));
      if (missing.length === 0) return workload.count < wanted || workload.instances.size < workload.count;
      return missing.every((instance) => isOnItsWay(instance, nowMs - app.deploy.deadline));
    });
}

function isOnItsWay(instance: ObservedInstance, sinceMs: number): boolean {
  switch (instance.state) {
    case "draining":
    case "stopping":
      return true;
    case "starting":
      return instance.exit === null && instance.sinceMs > sinceMs;
    case "running":
      return instance.exit === null && !instance.readySinceStart && (instance.startedAtMs ?? instance.sinceMs) > sinceMs;
    case "backoff":
      // Without an exit that nobody asked for, and with a reason only if it could not be started: it is between its stop and its start.
      return instance.exit === null && instance.reason?.code === "RESTARTING";
    case "exited":
      return false;
    default:
      return instance.state satisfies never;
  }
}
