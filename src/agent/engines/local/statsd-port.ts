import type { InstanceId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";
import type { HeldInstance } from "./held-instance.ts";
import type { Ports } from "./ports.ts";

/** Where instances send figures by statsd. */
export interface StatsdPorts {
  /**
   * Listens for an instance until it is closed; resolves at once if it does already.
   * @param wanted the port that the instance was told; null: none yet
   * @returns null when there is none to listen at
   */
  open(instance: InstanceId, wanted: number | null, assign: () => Promise<number>): Promise<number | null>;
  close(instance: InstanceId): Promise<void>;
  closeAll(): Promise<void>;
}

/** As which an instance has this port beside its own one: no other instance gets it, for what it listens at by UDP either. */
export function statsdOwner(instance: InstanceId): InstanceId {
  return `${instance}/statsd` as InstanceId;
}

/** Has an instance that asks for it listened for, at the port that it was told if it runs already. */
export async function openStatsd(
  { statsd, ports }: { readonly statsd: StatsdPorts | null; readonly ports: Ports },
  held: HeldInstance,
  workload: Workload,
): Promise<void> {
  if (workload.statsd !== true || statsd === null) return;
  held.statsdPort = await statsd.open(held.id, held.statsdPort, () => ports.assign(statsdOwner(held.id)));
}
