import { readFile } from "node:fs/promises";
import { hasCode } from "#model/errors.ts";
import { listPids, readEnvironment } from "../engines/local/proc.ts";

/** Says by which session a process was started: found in its environment even after it has left the session's group. */
export const markerVariable = "DROVER_EXEC";

/** How many processes are looked at at once: the thread pool has four threads, and others need them too. */
const atOnce = 8;
/** A process may start another while it is being killed; each round kills what is found, and this many end even a quick breeder. */
const mostRounds = 20;

/** Kills all processes whose marker starts with `marker`. Returns how many were found. */
export async function killMarked(marker: string): Promise<number> {
  const found = new Set<number>();
  for (let round = 0; round < mostRounds; round++) {
    const pids = await findMarked(marker);
    if (pids.length === 0) break;
    for (const pid of pids) {
      found.add(pid);
      signalIfThere(pid, "SIGKILL");
    }
  }
  return found.size;
}

async function findMarked(marker: string): Promise<readonly number[]> {
  const pids = await listPids();
  const found: number[] = [];
  for (let from = 0; from < pids.length; from += atOnce) {
    await Promise.all(
      pids.slice(from, from + atOnce).map(async (pid) => {
        if ((await readEnvironment(pid))?.get(markerVariable)?.startsWith(marker)) found.push(pid);
      }),
    );
  }
  return found;
}

/** Sends a signal to a process, or to a group if negative. One that is gone needs none; one that became another user's is out of reach. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH") && !hasCode(error, "EPERM")) throw error;
  }
}

/** The group in the foreground of the terminal of `pid`; null without one. */
export async function foregroundGroup(pid: number): Promise<number | null> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return null;
    throw error;
  }
  // The name in parentheses may hold anything, so the fields are counted from its end: state, parent, group, session, terminal, foreground.
  const group = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[5]);
  return group > 0 ? group : null;
}
