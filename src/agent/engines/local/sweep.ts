import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId } from "#model/names.ts";
import type { Cgroups } from "./cgroups.ts";
import { sendSignal } from "./proc.ts";
import { findStrays } from "./process-group.ts";
import { cgroupName } from "./start-instance.ts";

/**
 * Ends what an earlier agent left without anybody to look after it: processes of instances that are not in `kept`, and empty groups. Found by what
 * only our instances have, never by number.
 */
export async function sweepStrays(
  options: {
    readonly root: string;
    readonly kept: ReadonlySet<InstanceId>;
    readonly cgroups: Cgroups;
    readonly clock: Clock;
    readonly log: Log;
  },
  signal: AbortSignal,
): Promise<void> {
  const { root, kept, cgroups, clock, log } = options;
  for (const [pid, instance] of await findStrays(root)) {
    if (kept.has(instance)) continue;
    log.warn("stray process ended", { pid, instance });
    sendSignal(pid, "SIGKILL");
  }
  const keptGroups = new Set([...kept].map((id) => cgroupName({ id })));
  for (const name of await cgroups.list()) {
    if (keptGroups.has(name)) continue;
    const group = cgroups.find(name);
    for (let attempt = 0; attempt < emptyAttempts && ((await group.pids()) ?? []).length > 0; attempt++) {
      await group.kill();
      await clock.sleep(emptyWaitMs, signal);
    }
    // A group that something stuck in the kernel still holds stays until the next start.
    await group.remove().catch((error: unknown) => log.warn("group not removed", { group: name, error: String(error) }));
  }
}

const emptyAttempts = 40;
const emptyWaitMs = 25;
