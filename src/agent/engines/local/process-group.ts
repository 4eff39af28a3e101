import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { InstanceId } from "#model/names.ts";
import type { StopSignal } from "#model/workload.ts";
import type { Cgroup } from "./cgroups.ts";
import { isAlive, listPids, type ProcessIdentity, readEnvironment, readProcess, sendSignal } from "./proc.ts";

/** All processes of one instance: what it started, and what those started. */
export interface ProcessGroup {
  /** All that live, without the parent that waits for the main one. */
  pids(): Promise<readonly number[]>;
  /** Asks the main process and its process group to end. */
  signal(name: StopSignal): Promise<void>;
  /** Kills everything. Resolves when nothing is left: true; or false if something is stuck in the kernel. */
  kill(signal: AbortSignal): Promise<boolean>;
}

/** How long killed processes may take to go before they count as stuck; more than any ordinary clean-up of memory needs. */
const goneWithinMs = 2_000;
const lookAgainMs = 5;
/** Killing one by one ends everything but a fork bomb at the first round. */
const singleRounds = 3;

export function createProcessGroup(options: {
  readonly instance: InstanceId;
  /** Where the instance's temporary folder is: tells it from an instance of the same name of another Drover. */
  readonly temporary: string;
  readonly parent: ProcessIdentity;
  readonly main: ProcessIdentity;
  readonly cgroup: Cgroup | null;
  readonly clock: Clock;
}): ProcessGroup {
  const { instance, temporary, parent, main, cgroup, clock } = options;
  const pids = async () => {
    const listed = (await cgroup?.pids()) ?? null;
    return listed?.filter((pid) => pid !== parent.pid) ?? (await findMembers(instance, temporary, parent));
  };
  return {
    pids,
    signal: async (name) => {
      // The parent leads the process group, and outlives these signals.
      if (await isAlive(parent)) sendSignal(-parent.pid, name);
      else if (await isAlive(main)) sendSignal(main.pid, name);
    },
    kill: async (signal) => {
      const deadlineMs = clock.monotonicMs() + goneWithinMs;
      for (let round = 0; ; round++) {
        const left = await pids();
        if (left.length === 0) return true;
        // One by one first, because the parent is in the group too and has the exit status to tell; what outruns that is killed as a whole.
        if (round < singleRounds || cgroup === null || !(await cgroup.kill())) for (const pid of left) killIfOurs(pid);
        if (clock.monotonicMs() > deadlineMs) return false;
        await clock.sleep(lookAgainMs, signal);
      }
    },
  };
}

/** A process that changed its user by a privilege of its own cannot be signalled by an agent without one: that is for the caller to see. */
function killIfOurs(pid: number): void {
  try {
    sendSignal(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "EPERM")) throw error;
  }
}

/** Without control groups: by session, and by environment for daemons that made a session of their own. Zombies are gone already. */
async function findMembers(instance: InstanceId, temporary: string, parent: ProcessIdentity): Promise<readonly number[]> {
  const found: number[] = [];
  const parentLives = await isAlive(parent);
  for (const pid of await listPids()) {
    if (pid === parent.pid) continue;
    const stat = await readProcess(pid);
    if (stat === null || stat.state === "Z" || stat.startTicks < parent.startTicks) continue;
    if ((parentLives && stat.session === parent.pid) || (await isMember(pid, instance, temporary))) found.push(pid);
  }
  return found;
}

async function isMember(pid: number, instance: InstanceId, temporary: string): Promise<boolean> {
  const environment = await readEnvironment(pid);
  return environment?.get("DROVER_INSTANCE") === instance && environment.get("TMPDIR") === temporary;
}

/** Processes of any instance below `root` (as their environment says), by pid. */
export async function findStrays(root: string): Promise<ReadonlyMap<number, InstanceId>> {
  const strays = new Map<number, InstanceId>();
  for (const pid of await listPids()) {
    const environment = await readEnvironment(pid);
    const instance = environment?.get("DROVER_INSTANCE");
    if (instance !== undefined && environment?.get("TMPDIR")?.startsWith(`${root}/`)) strays.set(pid, instance as InstanceId);
  }
  return strays;
}
