import type { InstanceUsage } from "#model/usage.ts";
import type { HeldInstance, Run } from "./held-instance.ts";
import { type DiskUse, listPids, readDiskUse, readProcess, readUse } from "./proc.ts";

/** Measures instances from what the kernel says of their processes. */
export class InstanceMeter {
  /** The most that was seen of a run: what an ended child used is lost when nobody waited for it, and a sum must not fall. */
  readonly #most = new WeakMap<Run, { readonly cpuSeconds: number; readonly disk: DiskUse | null }>();

  /** Those of them of which something runs. */
  async measure(all: readonly HeldInstance[]): Promise<readonly InstanceUsage[]> {
    const runs = all.flatMap(({ id, run }) => (run === null ? [] : [{ id, run }]));
    const members = await Promise.all(runs.map(({ run }) => run.cgroup?.pids() ?? null));
    const sessions = members.includes(null) ? await pidsBySession() : new Map<number, number[]>();
    return runs.flatMap(({ id, run }, i) => {
      const parent = run.process.parent.pid;
      const pids = (members[i] ?? sessions.get(parent) ?? []).filter((pid) => pid !== parent);
      const uses = pids.flatMap((pid) => readUse(pid) ?? []);
      if (uses.length === 0) return [];
      const sum = (of: "cpuSeconds" | "memoryBytes") => uses.reduce((total, use) => total + use[of], 0);
      const before = this.#most.get(run);
      const most = { cpuSeconds: Math.max(sum("cpuSeconds"), before?.cpuSeconds ?? 0), disk: diskOf(pids, before?.disk ?? null) };
      this.#most.set(run, most);
      const disk = most.disk === null ? {} : { disk: most.disk };
      return [{ id, cpuSeconds: most.cpuSeconds, memoryBytes: sum("memoryBytes"), processes: uses.length, ...disk }];
    });
  }
}

function diskOf(pids: readonly number[], before: DiskUse | null): DiskUse | null {
  const uses = pids.flatMap((pid) => readDiskUse(pid) ?? []);
  if (uses.length === 0) return before;
  const most = (of: keyof DiskUse) =>
    Math.max(
      uses.reduce((total, use) => total + use[of], 0),
      before?.[of] ?? 0,
    );
  return { readBytes: most("readBytes"), writtenBytes: most("writtenBytes") };
}

/** Without control groups an instance is the session of its parent. Daemons that made one of their own are not counted: to find those is too dear. */
async function pidsBySession(): Promise<ReadonlyMap<number, number[]>> {
  const sessions = new Map<number, number[]>();
  for (const pid of await listPids()) {
    const stat = await readProcess(pid);
    if (stat === null) continue;
    const known = sessions.get(stat.session);
    if (known === undefined) sessions.set(stat.session, [pid]);
    else known.push(pid);
  }
  return sessions;
}
