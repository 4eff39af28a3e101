import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Resources } from "#model/workload.ts";

const controllers = ["cpu", "memory", "pids"] as const;
type Controller = (typeof controllers)[number];

/** A folder of the kernel's in which we may make groups, and which version's rules hold there. */
interface Base {
  readonly version: 1 | 2;
  readonly folder: string;
}

/** What the machine lets us limit. */
export interface CgroupSupport {
  readonly limits: Readonly<Record<Controller, Base | null>>;
  /** Where a whole group can be listed and killed; null: processes are found by their session and environment. */
  readonly members: Base | null;
  /** Why what is missing is missing. */
  readonly why: string;
}

/** The limits of one instance and the list of its processes. */
export interface Cgroup {
  /** Moves a process in; what it starts from then on is in too. */
  add(pid: number): Promise<void>;
  /** All processes inside; null when this machine cannot tell. */
  pids(): Promise<number[] | null>;
  /** Kills everything inside, at once where the kernel can. False when this machine cannot. */
  kill(): Promise<boolean>;
  /** How many processes the kernel killed in it for want of memory, and the most memory that it held; null where memory is not counted. */
  memory(): Promise<{ readonly killed: number; readonly peakBytes: number } | null>;
  remove(): Promise<void>;
}

export interface Cgroups {
  readonly support: CgroupSupport;
  /** Makes or finds the group `name` and sets its limits. */
  open(name: string, resources: Resources): Promise<Cgroup>;
  /** A group as it is. */
  find(name: string): Cgroup;
  /** Groups that exist, from this process or one before it. */
  list(): Promise<string[]>;
  /** Removes all groups in which nothing runs, and the folder that they are in if none is left. The next `openCgroups` makes it again. */
  removeEmpty(): Promise<void>;
}

/** The period over which the kernel measures a share of the processor, in microseconds: its own default. */
const cpuPeriodUs = 100_000;

/** @param key tells the groups of several Drovers on one machine apart. */
export async function openCgroups(key: string, log: Log): Promise<Cgroups> {
  const support = await detect(`drover-${key}`, log);
  const bases = [
    ...new Set([...Object.values(support.limits), support.members].filter((base) => base !== null).map((base) => base.folder)),
  ];
  const find = (name: string) =>
    openGroup(
      support,
      name,
      bases.map((base) => join(base, name)),
    );
  const list = async () => {
    const names = await Promise.all(bases.map((base) => readdir(base, { withFileTypes: true }).catch(noneIfGone)));
    return [...new Set(names.flat().flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])))];
  };
  return {
    support,
    open: async (name, resources) => {
      const joined = neededBases(support, resources).map((base) => join(base, name));
      for (const folder of joined) mkdirSync(folder, { recursive: true });
      setLimits(support, name, resources);
      return { ...find(name), add: (pid) => addTo(joined, pid) };
    },
    find,
    list,
    removeEmpty: async () => {
      const groups = (await list()).flatMap((name) => bases.map((base) => join(base, name)));
      for (const folder of [...groups, ...bases]) await rmdir(folder).catch(ignoreIfUsed);
    },
  };
}

/**
 * Where an instance has to be a member. In version 1 each controller has a tree of its own, and every further tree costs a start half a
 * millisecond of the kernel's time: one in which nothing would be limited is left out.
 */
function neededBases({ limits, members }: CgroupSupport, { cpu, memoryBytes }: Resources): readonly string[] {
  const isNeeded = (base: Base | null, isLimited: boolean) => base !== null && (isLimited || base.version === 2);
  const needed = [
    members,
    limits.pids,
    isNeeded(limits.cpu, cpu !== null) ? limits.cpu : null,
    isNeeded(limits.memory, memoryBytes !== null) ? limits.memory : null,
  ];
  return [...new Set(needed.filter((base) => base !== null).map((base) => base.folder))];
}

function setLimits({ limits }: CgroupSupport, name: string, { cpu, memoryBytes, pids }: Resources): void {
  const set = (base: Base, file: string, value: string | number) => writeFileSync(join(base.folder, name, file), String(value));
  if (limits.pids !== null) set(limits.pids, "pids.max", pids);
  if (limits.cpu?.version === 2) {
    set(limits.cpu, "cpu.max", `${cpu === null ? "max" : Math.round(cpu * cpuPeriodUs)} ${cpuPeriodUs}`);
  } else if (limits.cpu !== null && cpu !== null) {
    set(limits.cpu, "cpu.cfs_period_us", cpuPeriodUs);
    set(limits.cpu, "cpu.cfs_quota_us", Math.round(cpu * cpuPeriodUs));
  }
  if (limits.memory?.version === 2) {
    set(limits.memory, "memory.max", memoryBytes ?? "max");
    set(limits.memory, "memory.oom.group", 1);
  } else if (limits.memory !== null && memoryBytes !== null) {
    set(limits.memory, "memory.limit_in_bytes", memoryBytes);
  }
}

function openGroup({ limits, members }: CgroupSupport, name: string, folders: readonly string[]): Cgroup {
  const pids = async () => {
    if (members === null) return null;
    const text = readGroupFile(join(members.folder, name, "cgroup.procs"));
    return text.split("\n").filter(Boolean).map(Number);
  };
  return {
    add: (pid) => addTo(folders, pid),
    pids,
    kill: async () => {
      if (members === null) return false;
      if (members.version === 2) {
        await writeFile(join(members.folder, name, "cgroup.kill"), "1").catch(emptyIfGone);
        return true;
      }
      for (const pid of (await pids()) ?? []) {
        try {
          process.kill(pid, "SIGKILL");
        } catch (error) {
          if (!hasCode(error, "ESRCH")) throw error;
        }
      }
      return true;
    },
    memory: async () => {
      if (limits.memory === null) return null;
      const folder = join(limits.memory.folder, name);
      const old = limits.memory.version === 1;
      const events = readGroupFile(join(folder, old ? "memory.oom_control" : "memory.events"));
      if (events === "") return null;
      const peak = readGroupFile(join(folder, old ? "memory.max_usage_in_bytes" : "memory.peak"));
      return { killed: Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0), peakBytes: Number(peak) };
    },
    remove: async () => {
      for (const folder of folders) await rmdir(folder).catch(emptyIfGone);
    },
  };
}

/** Not at once, unlike the other files: a move waits for the kernel for milliseconds, which others can use. */
async function addTo(folders: readonly string[], pid: number): Promise<void> {
  for (const folder of folders) await writeFile(join(folder, "cgroup.procs"), String(pid));
}

function ignoreIfUsed(error: unknown): void {
  if (!["EBUSY", "ENOTEMPTY", "ENOENT"].some((code) => hasCode(error, code))) throw error;
}

/** The kernel answers at once: there is no disk to wait for. */
function readGroupFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    return emptyIfGone(error);
  }
}

function noneIfGone(error: unknown): [] {
  if (hasCode(error, "ENOENT")) return [];
  throw error;
}

function emptyIfGone(error: unknown): string {
  if (hasCode(error, "ENOENT") || hasCode(error, "ENODEV")) return "";
  throw error;
}

/** Finds out by trying: a mount that is there is not yet one that we may use. */
async function detect(name: string, log: Log): Promise<CgroupSupport> {
  const found: Record<Controller, Base | null> = { cpu: null, memory: null, pids: null };
  let members: Base | null = null;
  const refusals: string[] = [];
  const mounts = (await readFile("/proc/self/mounts", "utf8").catch(emptyIfGone)).split("\n").map((line) => line.split(" "));
  const own = await ownGroups();
  for (const [, point = "", type = "", options = ""] of mounts) {
    if (type !== "cgroup" && type !== "cgroup2") continue;
    try {
      if (type === "cgroup2") {
        const folder = await makeUnified(point, own.get("") ?? "/", name);
        const enabled = (await readFile(join(folder, "cgroup.controllers"), "utf8")).trim().split(" ");
        for (const controller of controllers) if (enabled.includes(controller)) found[controller] ??= { version: 2, folder };
        if (await exists(join(folder, "cgroup.kill"))) members = { version: 2, folder };
      } else {
        const given = controllers.filter((controller) => options.split(",").includes(controller));
        if (given.length === 0) continue;
        const folder = await makeLegacy(
          point,
          given.map((controller) => own.get(controller)).find((path) => path !== undefined) ?? "/",
          name,
        );
        for (const controller of given) found[controller] ??= { version: 1, folder };
      }
    } catch (error) {
      log.debug("control group not usable", { mount: point, error: error instanceof Error ? error.message : String(error) });
      refusals.push(
        hasCode(error, "EACCES") || hasCode(error, "EPERM") || hasCode(error, "EROFS")
          ? "not permitted to this user"
          : `not usable at ${point}`,
      );
    }
  }
  members ??= found.pids;
  const why =
    refusals[0] ??
    (mounts.some(([, , type]) => type?.startsWith("cgroup")) ? "this machine does not offer it" : "no control groups on this machine");
  return { limits: found, members, why };
}

/** A folder below the group that we are in, as nothing else is ours to change. */
async function makeLegacy(point: string, own: string, name: string): Promise<string> {
  for (const parent of [...new Set([own, "/"])]) {
    const folder = join(point, parent, name);
    try {
      await mkdir(folder, { recursive: true });
      await access(join(folder, "cgroup.procs"), constants.W_OK);
      return folder;
    } catch (error) {
      if (parent === "/" || !hasCode(error, "ENOENT")) throw error;
    }
  }
  throw new Error(`no group can be made below ${point}`);
}

/**
 * In version 2 a group that passes controllers on to its children may hold no processes itself, unless it is the root: an agent that was given a
 * group of its own (`Delegate=yes` in a systemd unit) moves into a leaf of it first.
 */
async function makeUnified(point: string, own: string, name: string): Promise<string> {
  const parent = join(point, own);
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  await access(join(folder, "cgroup.procs"), constants.W_OK);
  const offered = (await readFile(join(parent, "cgroup.controllers"), "utf8")).trim().split(" ");
  const wanted = controllers.filter((controller) => offered.includes(controller));
  if (wanted.length === 0) return folder;
  if (own !== "/") {
    const leaf = join(parent, "drover-agent");
    await mkdir(leaf, { recursive: true });
    await writeFile(join(leaf, "cgroup.procs"), String(process.pid));
  }
  const enable = wanted.map((controller) => `+${controller}`).join(" ");
  await writeFile(join(parent, "cgroup.subtree_control"), enable);
  await writeFile(join(folder, "cgroup.subtree_control"), enable);
  return folder;
}

/** The groups of this process by controller; "" is version 2. */
async function ownGroups(): Promise<ReadonlyMap<string, string>> {
  const groups = new Map<string, string>();
  for (const line of (await readFile("/proc/self/cgroup", "utf8").catch(emptyIfGone)).split("\n")) {
    const [, names = "", path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path !== undefined) for (const controller of names.split(",")) groups.set(controller, path);
  }
  return groups;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
