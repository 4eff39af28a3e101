import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { isAlive, type ProcessIdentity, readProcess, sendSignal } from "./proc.ts";

/** The process that waits for this agent's death, to keep the instances' pipes from filling up. */
export interface Keeper {
  /** Sends it away, since the agent ends in order. */
  dismiss(): void;
  /** Leaves it behind as a death of the agent would. */
  abandon(): void;
}

type KeeperNote = ProcessIdentity & { readonly bootId: string };

/** How long an earlier keeper may take to write down what it counted. */
const leaveWithinMs = 2_000;
const lookAgainMs = 5;

/** Ends the keeper of an earlier agent: after this, nobody else reads the pipes. */
export async function stopKeeper(noteFile: string, bootId: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const text = await readTextIfThere(noteFile);
  if (text === null) return;
  const note = JSON.parse(text) as KeeperNote;
  if (note.bootId !== bootId) return;
  const deadlineMs = clock.monotonicMs() + leaveWithinMs;
  for (let first = true; await isAlive(note); first = false) {
    if (first) sendSignal(note.pid, "SIGTERM");
    else if (clock.monotonicMs() > deadlineMs) sendSignal(note.pid, "SIGKILL");
    await clock.sleep(lookAgainMs, signal);
  }
}

/** @param instances the folder whose pipes it is to look after. @param leases the file with the leases by which some of them run */
export async function startKeeper(instances: string, leases: string, noteFile: string, bootId: string, log: Log): Promise<Keeper> {
  const folder = import.meta.dirname;
  const child = spawn(
    "/bin/sh",
    [join(folder, "keeper.sh"), process.execPath, "--max-semi-space-size=1", join(folder, "keeper.ts"), instances, leases],
    {
      cwd: "/",
      env: {},
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    },
  );
  const input = child.stdin as Writable & Readable;
  // Somebody ended it: the next agent starts another.
  input.on("error", () => {});
  child.on("error", (error) => log.error("keeper not started; apps that print much wait while no agent runs", errorFields(error)));
  const found = child.pid === undefined ? null : await readProcess(child.pid);
  if (found !== null) {
    const note: KeeperNote = { pid: found.pid, startTicks: found.startTicks, bootId };
    await writeFileAtomic(noteFile, JSON.stringify(note), { durable: false });
  }
  child.unref();
  return { dismiss: () => input.end("bye\n"), abandon: () => input.destroy() };
}
