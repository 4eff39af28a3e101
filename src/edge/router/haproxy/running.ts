import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";

/** A process of HAProxy that an edge has started, told on disk so that the next edge can take over from it. */
export interface Running {
  readonly pid: number;
  /** When the kernel started it, in its ticks since boot: a pid may be given to somebody else. */
  readonly startedTicks: string;
  readonly control: string;
  /** `host:port` that it listens on. */
  readonly ports: readonly string[];
}

const fileOf = (folder: string) => join(folder, "running.json");

export async function noteRunning(folder: string, running: readonly Running[]): Promise<void> {
  // It says what runs now, so it need not survive a power cut.
  await writeFileAtomic(fileOf(folder), `${JSON.stringify(running)}\n`, { durable: false });
}

/** Those of the last edge that run still, the newest last. */
export async function readRunning(folder: string): Promise<readonly Running[]> {
  const text = await readTextIfThere(fileOf(folder));
  const read: unknown = text === null ? [] : JSON.parse(text);
  const alive: Running[] = [];
  for (const one of Array.isArray(read) ? read : []) {
    if (!isRunning(one)) continue;
    if ((await startedTicks(one.pid)) === one.startedTicks) alive.push(one);
  }
  return alive;
}

/** Null if no such process runs. */
export async function startedTicks(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? null : (fields[18] ?? null);
  } catch {
    // Gone, which is the answer.
    return null;
  }
}

function isRunning(value: unknown): value is Running {
  const { pid, startedTicks, control, ports } = (value ?? {}) as Partial<Record<keyof Running, unknown>>;
  return (
    Number.isSafeInteger(pid) && Number(pid) > 1 && typeof startedTicks === "string" && typeof control === "string" && Array.isArray(ports)
  );
}
