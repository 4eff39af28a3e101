import { appendFileSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPipe } from "./pipe-follower.ts";
import { spillNames } from "./spill.ts";

/*
 * Runs only while no agent does (see keeper.sh): reads what instances print into a bounded file each, and counts what is over, so that a full pipe
 * blocks no app. A program of its own, and a small one, because the agent that it stands in for is dead. A returning agent ends it by SIGTERM and
 * takes over what it kept. Ends by itself once no instance can print any more: all have ended, or Drover's folder is gone. What runs under a lease it
 * ends when that is over, as the agent would have.
 */

/** Kept for each instance: a stack trace or two, or minutes of an ordinary log. */
const longestSpillBytes = 4 * 2 ** 20;
/** Kept for all together, so that the disk is safe whatever the number of instances. */
const longestTotalBytes = 64 * 2 ** 20;
/** What is dropped is read no faster than this many bytes in so many milliseconds: an app that floods is slowed down, the machine is not. */
const dropPace = { bytes: 2 ** 20, pauseMs: 50 } as const;
/** How often the count of what was dropped is written down, in case this program is killed too, and is looked who has ended. */
const noteEveryMs = 1_000;

const [root = "", leases = ""] = process.argv.slice(2);
let totalBytes = 0;
/** Instances that are to be ended when their lease is over. */
let underLease = 0;

interface Kept {
  /** Writes down what was dropped, and lets go of the pipe of an instance that has ended. */
  look(): void;
}

const kept = new Set<Kept>();

function keep(folder: string): void {
  const names = spillNames(folder);
  let keptBytes = 0;
  let dropped = 0;
  let noted = 0;
  let sincePause = 0;
  let isQuiet = true;
  const source = openPipe(join(folder, "io", "out"));
  source.on("data", (chunk: Buffer) => {
    isQuiet = false;
    const room = Math.max(0, Math.min(longestSpillBytes - keptBytes, longestTotalBytes - totalBytes, chunk.length));
    if (room > 0) {
      appendFileSync(names.output, chunk.subarray(0, room), { mode: 0o600 });
      keptBytes += room;
      totalBytes += room;
    }
    dropped += chunk.length - room;
    sincePause += chunk.length - room;
    if (sincePause < dropPace.bytes) return;
    sincePause = 0;
    source.pause();
    setTimeout(() => source.resume(), dropPace.pauseMs);
  });
  // The pipe is gone or broken: there is nothing to keep, and no one here to tell.
  source.on("error", () => source.destroy());
  const one: Kept = {
    look: () => {
      if (dropped !== noted) writeFileSync(names.dropped, `${dropped}\n`, { mode: 0o600 });
      noted = dropped;
      // Its parent, which is stopped, holds the pipe with what is in it. What it left running may still print, so one that does is read on.
      if (isQuiet && existsSync(join(folder, "io", "exit"))) source.destroy();
      isQuiet = true;
    },
  };
  source.on("close", () => kept.delete(one));
  kept.add(one);
}

function subfolders(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(folder, entry.name)] : []));
}

const instances = subfolders(root).flatMap(subfolders).flatMap(subfolders);
for (const instance of instances) {
  try {
    keep(instance);
  } catch (error) {
    // One instance without a pipe, such as one that was never started, must not leave the others to block.
    process.stderr.write(`${instance}: ${String(error)}\n`);
  }
}
if (existsSync(leases)) {
  const [{ endWithLease }, { readLeases }, { readBootId }, { foldersIn }] = await Promise.all([
    import("./keeper-fence.ts"),
    import("./leases.ts"),
    import("./proc.ts"),
    import("./records.ts"),
  ]);
  const bootId = await readBootId();
  const ends = await readLeases(leases, bootId);
  for (const instance of instances) {
    underLease++;
    endWithLease(foldersIn(instance), ends, bootId)
      .catch((error: unknown) => process.stderr.write(`${instance}: ${String(error)}\n`))
      .finally(() => underLease--);
  }
}
const lookAtAll = () => {
  // With the folder went whoever could ask for what was kept.
  if (!existsSync(root)) process.exit(0);
  for (const one of kept) one.look();
  if (kept.size === 0 && underLease === 0) process.exit(0);
};
setInterval(lookAtAll, noteEveryMs);
process.on("SIGTERM", () => {
  lookAtAll();
  process.exit(0);
});
