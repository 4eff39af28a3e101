import { readdir, readFile, readlink } from "node:fs/promises";
import { hasCode } from "#model/errors.ts";

export async function allPids(): Promise<readonly number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** What a process's file below /proc says; empty for one that has ended, or belongs to somebody else. */
export async function textOfProcess(pid: number, file: "cmdline" | "environ" | "stat" | "smaps_rollup"): Promise<string> {
  return (await ifThere(readFile(`/proc/${pid}/${file}`, "latin1"))) ?? "";
}

/** Where a process's folder or program is; null for one that has ended, or belongs to somebody else. */
export async function linkOfProcess(pid: number, link: "cwd" | "exe"): Promise<string | null> {
  return ifThere(readlink(`/proc/${pid}/${link}`));
}

/** The processes whose arguments or variables contain `text`, whatever became of their parents; each is parted from the next by NUL. */
export async function processesWith(file: "cmdline" | "environ", text: string): Promise<readonly number[]> {
  const found = await Promise.all((await allPids()).map(async (pid) => ((await textOfProcess(pid, file)).includes(text) ? [pid] : [])));
  return found.flat();
}

/** Kills it. False if it has ended by itself. */
export function killIfThere(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    throw error;
  }
}

async function ifThere(read: Promise<string>): Promise<string | null> {
  try {
    return await read;
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].some((code) => hasCode(error, code))) return null;
    throw error;
  }
}
