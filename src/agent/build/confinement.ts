import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "#model/errors.ts";

export interface ConfinementLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

/** The hold that we have on all processes of a build, however they were started. */
export interface Confinement {
  /** Which limit the processes are over now, in words; null while they are within. */
  excess(): Promise<string | null>;
  /** Ends them all and resolves when none is left. */
  kill(): Promise<void>;
  /** Called once, after `kill`. */
  close(): Promise<void>;
}

/**
 * Takes hold of a build's first process, which waits until this resolves before it starts anything.
 * @param mark the value of `DROVER_BUILD` in the environment of all its processes
 */
export type Confine = (pid: number, mark: string, limits: ConfinementLimits) => Promise<Confinement>;

/** How often a kill is repeated: each round ends all that there are, so only a fork bomb needs more than two. */
const mostRounds = 200;
const roundMs = 10;
const kibi = 1_024;

interface Process {
  readonly pid: number;
  readonly residentBytes: number;
}

/**
 * Holds a build by what /proc says: everything in the session of its first process, and everything that carries its mark, so that a daemon
 * which left the session is found too. Weaker than a cgroup (a process that clears its environment and leaves the session gets away,
 * and limits are measured, not enforced), for machines that give us none.
 */
export const confineByProc: Confine = async (pid, mark, limits) => {
  const find = () => findProcesses((session, environment) => session === pid || environment.includes(`DROVER_BUILD=${mark}\0`));
  return {
    excess: async () => {
      const processes = await find();
      const bytes = processes.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
      if (bytes > limits.memoryBytes) return `${bytes} bytes of memory, where it may have ${limits.memoryBytes}`;
      if (processes.length > limits.processes) return `${processes.length} processes, where it may have ${limits.processes}`;
      return null;
    },
    kill: () => killUntilGone(find),
    close: async () => {},
  };
};

/** Ends what builds of an earlier run left running: everything whose mark begins with `prefix`. */
export function killMarked(prefix: string): Promise<void> {
  return killUntilGone(() => findProcesses((_, environment) => environment.includes(`DROVER_BUILD=${prefix}`)));
}

async function killUntilGone(find: () => Promise<readonly Process[]>): Promise<void> {
  for (let round = 0; round < mostRounds; round++) {
    const processes = await find();
    if (processes.length === 0) return;
    for (const { pid } of processes) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (!hasCode(error, "ESRCH")) throw error;
      }
    }
    await delay(roundMs);
  }
  throw new Error(`processes of a build outlive ${mostRounds} kills`);
}

async function findProcesses(isOurs: (session: number, environment: string) => boolean): Promise<readonly Process[]> {
  const found: Process[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const stat = await readFile(`/proc/${name}/stat`, "latin1");
      // The command's name is in parentheses and may itself have any; state and session follow the last.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") continue;
      if (isOurs(Number(fields[3]), await environmentOf(name)))
        found.push({ pid: Number(name), residentBytes: await residentBytesOf(name) });
    } catch (error) {
      // It ended while we looked.
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ESRCH")) throw error;
    }
  }
  return found;
}

async function environmentOf(pid: string): Promise<string> {
  try {
    return `${await readFile(`/proc/${pid}/environ`, "latin1")}\0`;
  } catch (error) {
    // Another user's process is none of ours.
    if (hasCode(error, "EACCES") || hasCode(error, "EPERM")) return "";
    throw error;
  }
}

async function residentBytesOf(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * kibi;
}
