import type { LinkCall, LinkRoutes } from "#link/serve.ts";
import { DroverError } from "#model/errors.ts";
import type { InstanceId, WorkloadId } from "#model/names.ts";
import type { AgentUsage } from "#model/usage.ts";
import type { Engine } from "./engines/engine.ts";
import { readLogQuery, readWorkload } from "./link-bodies.ts";

/** What an agent serves of its engine; the table is in `model/link.ts`. */
export function engineRoutes(engine: Engine): LinkRoutes {
  return {
    "GET /watch": async (call) => {
      await call.lines(engine.watch(call.signal));
      return undefined;
    },
    "GET /workloads/:id": async (call) => ({ workload: engine.order(call.params["id"] as WorkloadId) }),
    "PUT /workloads/:id": async (call) => {
      const workload = readWorkload(await call.body());
      if (workload.id !== call.params["id"]) throw new DroverError("REQUEST_INVALID", "the order is for another workload than the path");
      await engine.apply(workload, call.signal);
      return null;
    },
    "DELETE /workloads/:id": async (call) => {
      await engine.remove(call.params["id"] as WorkloadId, revisionOf(call), call.signal);
      return null;
    },
    "POST /instances/:id/drained": async (call) => {
      engine.drained(call.params["id"] as InstanceId);
      return null;
    },
    "POST /instances/:id/restart": async (call) => {
      await engine.restart(call.params["id"] as InstanceId, call.signal);
      return null;
    },
    "POST /logs": async (call) => {
      await call.lines(engine.logs(readLogQuery(await call.body()), call.signal));
      return undefined;
    },
    "GET /machine": (call) => engine.machine(call.signal),
    "GET /usage": async (call): Promise<AgentUsage> => ({ ...(await engine.usage(call.signal)), agent: ownUse() }),
  };
}

function ownUse(): AgentUsage["agent"] {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, memoryBytes: process.memoryUsage.rss() };
}

function revisionOf(call: LinkCall): number {
  const revision = Number(call.query.get("revision"));
  if (!Number.isSafeInteger(revision) || revision < 1)
    throw new DroverError("REQUEST_INVALID", "the order to remove a workload has no revision");
  return revision;
}
