import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { hasCode } from "#model/errors.ts";

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot: field 22 of /proc/<pid>/stat. */
  readonly startTicks: number;
}

export interface ProcessStat extends ProcessIdentity {
  readonly state: string;
  readonly group: number;
  readonly session: number;
}

/** Null when there is no such process. */
export async function readProcess(pid: number): Promise<ProcessStat | null> {
  const text = readProc(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(pid, text);
}

/** The name in parentheses may itself hold spaces and parentheses: fields count from the last one. */
export function parseStat(pid: number, text: string): ProcessStat | null {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, , group, session] = fields;
  const startTicks = Number(fields[19]);
  if (state === undefined || !Number.isInteger(startTicks)) return null;
  return { pid, state, group: Number(group), session: Number(session), startTicks };
}

/** USER_HZ: what the kernel counts in towards programs, on every architecture that Linux is built for today (sysconf(3), _SC_CLK_TCK). */
export const ticksPerSecond = 100;
export interface ProcessUse {
  /** Its own, and that of children that it waited for. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** Null when there is no such process, or nothing is left of it but its number. */
export function readUse(pid: number): ProcessUse | null {
  const stat = readProc(`/proc/${pid}/stat`);
  const status = stat === null ? null : readProc(`/proc/${pid}/status`);
  return stat === null || status === null ? null : parseUse(stat, status);
}

/** Fields 14 to 17 of /proc/<pid>/stat are times in ticks. Its resident pages could be of any size, so memory is taken from where it is in kB. */
export function parseUse(stat: string, status: string): ProcessUse | null {
  const ticks = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 15)
    .reduce((sum, field) => sum + Number(field), 0);
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? null : { cpuSeconds: ticks / ticksPerSecond, memoryBytes: Number(kilobytes) * 1_024 };
}

export interface DiskUse {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** What the process and the children that it waited for moved from and to disks; null where the kernel does not say, or not to us. */
export function readDiskUse(pid: number): DiskUse | null {
  const text = readProc(`/proc/${pid}/io`);
  return text === null ? null : parseDiskUse(text);
}

/** proc_pid_io(5). What was written and thrown away before it reached a disk is taken off. */
export function parseDiskUse(text: string): DiskUse | null {
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  const [readBytes, written, cancelled] = [field("read_bytes"), field("write_bytes"), field("cancelled_write_bytes")];
  return Number.isNaN(readBytes + written + cancelled) ? null : { readBytes, writtenBytes: Math.max(0, written - cancelled) };
}

/** Whether exactly this process lives; one that ended and was not yet waited for does not. */
export async function isAlive({ pid, startTicks }: ProcessIdentity): Promise<boolean> {
  const found = await readProcess(pid);
  return found !== null && found.startTicks === startTicks && found.state !== "Z" && found.state !== "X";
}

/** Changes with every start of the machine, so that identities from before it mean nothing. */
export async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

export async function listPids(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Null when it is gone or not ours to read. */
export async function readEnvironment(pid: number): Promise<ReadonlyMap<string, string> | null> {
  const text = readProc(`/proc/${pid}/environ`);
  if (text === null) return null;
  return new Map(
    text
      .split("\0")
      .filter((entry) => entry.includes("="))
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
}

/** Text of a file below /proc; null when the process is gone or belongs to somebody else. The kernel answers at once: there is no disk to wait for. */
function readProc(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].some((code) => hasCode(error, code))) return null;
    throw error;
  }
}

/** Signals one process or, when negative, one group. False when nothing was there. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    throw error;
  }
}

/** Whether a program that this process starts may have more rights than it: inherited by everything below it (prctl(2), PR_SET_NO_NEW_PRIVS). */
export async function mayGainPrivileges(): Promise<boolean> {
  return !/^NoNewPrivs:\s*1$/m.test(await readFile("/proc/self/status", "utf8"));
}
