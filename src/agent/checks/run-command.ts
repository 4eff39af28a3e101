import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { CommandEnd, RunCheckCommand } from "#checks/finding.ts";
import type { Confine } from "../build/confinement.ts";

/** What is read of a command's output: its first words say what it found. The rest is thrown away as it comes. */
const longestOutput = 64 * 1_024;
/** A check looks; it does not compute. */
const memoryBytes = 512 * 2 ** 20;
const mostProcesses = 128;
/** Blocks of 512 bytes that one file may have. */
const largestFileBlocks = 2_048;

export interface CheckCommandOptions {
  /** Below which each command gets a folder of its own, which goes with it. */
  readonly folder: string;
  /** $PATH and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** The user that commands run as; null: our own. */
  readonly uid: number | null;
  readonly confine: Confine;
}

/**
 * Runs users' commands for checks: each in a session, a control group where there is one, and an empty folder of its own, and ends everything that it
 * started when it ends, or when its time is over.
 */
export function createRunCheckCommand({ folder, environment, uid, confine }: CheckCommandOptions): RunCheckCommand {
  return async (run, env, signal) => {
    const mark = join(folder, randomBytes(8).toString("hex"));
    await mkdir(folder, { recursive: true, mode: 0o711 });
    await mkdir(mark, { mode: 0o700 });
    if (uid !== null) {
      await chmod(mark, 0o700);
      await chown(mark, uid, uid);
    }
    try {
      return await runConfined(run, { ...environment, ...env, TMPDIR: mark, HOME: mark, DROVER_BUILD: mark }, mark, uid, confine, signal);
    } finally {
      await rm(mark, { recursive: true, force: true });
    }
  };
}

async function runConfined(
  run: string,
  env: Readonly<Record<string, string>>,
  cwd: string,
  uid: number | null,
  confine: Confine,
  signal: AbortSignal,
): Promise<CommandEnd> {
  signal.throwIfAborted();
  // It waits for a line before it begins, so that nothing of it runs unconfined.
  const prologue = 'ulimit -c 0; ulimit -f "$1"; read -r _; exec /bin/sh -c "$2" < /dev/null';
  const child = spawn("/bin/sh", ["-c", prologue, "check", String(largestFileBlocks), run], {
    cwd,
    env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    ...(uid === null ? {} : { uid, gid: uid }),
  });
  const exited = once(child, "exit");
  await Promise.race([once(child, "spawn"), exited]);
  const confinement = await confine(child.pid as number, cwd, { memoryBytes, processes: mostProcesses }).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const output = { text: "", bytes: 0 };
  const reading = Promise.all([read(child.stdout, output), read(child.stderr, output)]);
  let exit: unknown[] | null = null;
  try {
    child.stdin.on("error", () => {
      // It ended before it read its go-ahead; its exit says why.
    });
    child.stdin.end("\n");
    exit = await Promise.race([exited, aborted(signal)]);
  } finally {
    await confinement.kill();
    await exited;
    // All that held their ends are gone, so this ends at once.
    await reading;
    await confinement.close();
  }
  return { exitCode: exit === null ? null : (exit[0] as number | null), output: output.text };
}

async function read(stream: Readable, into: { text: string; bytes: number }): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const room = longestOutput - into.bytes;
    if (room <= 0) continue;
    into.text += chunk.subarray(0, room).toString("utf8");
    into.bytes += Math.min(room, chunk.length);
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}
