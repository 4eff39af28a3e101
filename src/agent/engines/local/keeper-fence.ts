import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { sinceBootMs, systemClock } from "#host/clock.ts";
import { leaseStopMs } from "#model/lease.ts";
import type { StoredLeases } from "./leases.ts";
import { createProcessGroup } from "./process-group.ts";
import type { InstanceFolders, InstanceRecord } from "./records.ts";

/**
 * Ends an instance of what must never run twice when its lease is over, in place of an agent that is dead: as the agent would, by a signal at the end of
 * the lease and SIGKILL two seconds later. Does nothing for an instance that needs no lease. Resolves once nothing of it is left.
 */
export async function endWithLease(
  folders: Pick<InstanceFolders, "record" | "temporary">,
  ends: StoredLeases["ends"],
  bootId: string,
): Promise<void> {
  const { id, workload, run } = JSON.parse(await readFile(folders.record, "utf8")) as InstanceRecord;
  const endMs = ends[workload];
  if (endMs === undefined || run === null || run.bootId !== bootId) return;
  const group = createProcessGroup({ instance: id, temporary: folders.temporary, ...run, cgroup: null, clock: systemClock });
  await delay(Math.max(0, endMs - sinceBootMs()));
  await group.signal("SIGTERM");
  await delay(Math.max(0, endMs + leaseStopMs - sinceBootMs()));
  const unending = new AbortController().signal;
  while (!(await group.kill(unending)));
}
