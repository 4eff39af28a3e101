import type { InstanceView, StatusView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { Session } from "../command.ts";

/** How everything is, at one moment, as far as an upgrade asks. What checks find is among the problems. */
export interface FleetLook extends Pick<StatusView, "machines" | "edges" | "problems"> {
  readonly instances: readonly InstanceView[];
}

export async function lookAtFleet({ api }: Pick<Session, "api">, signal: AbortSignal): Promise<FleetLook> {
  const [{ machines, edges, problems }, { instances }] = await Promise.all([
    api.call<StatusView>("GET", apiPath(["status"]), signal),
    api.call<{ readonly instances: readonly InstanceView[] }>("GET", apiPath(["instances"]), signal),
  ]);
  return { machines, edges, problems, instances };
}
