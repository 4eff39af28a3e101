import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { RunCheckCommand } from "#checks/finding.ts";
import type { Confine } from "../build/confinement.ts";

/** What is read of a command's output: its first words say what it found. The rest is thrown away as it comes. */
const longestOutput = 64 * 1_024;
/** A check looks; it does not compute. */
const memoryBytes = 512 * 2 ** 20;
const mostProcesses = 128;
/** Blocks of 512 bytes that one file may have. */
const largestFileBlocks = 2_048;

export interface LookOptions {
  /** Below which each command gets a folder of its own, which goes with it. */
  readonly folder: string;
  /** $PATH and the like. */
  readonly environment: Readonly<Record<string, string>>;
  readonly confine: Confine;
}

export interface CheckCommandOptions extends LookOptions {
  /** The user that commands run as; null: our own. */
  readonly uid: number | null;
}

/** How a command ended, and the beginning of what it said: of both streams as they came, and of its standard output alone. */
export interface LookEnd {
  /** Null when it was ended. */
  readonly exitCode: number | null;
  readonly output: string;
  readonly answer: string;
  /** Whether it said more than the answer holds. */
  readonly isAnswerCut: boolean;
}

export interface LookLimits {
  /** The user that it runs as; null: our own. */
  readonly uid: number | null;
  /** Bytes of its standard output that are kept. */
  readonly longestAnswer: number;
}

/** Runs a command line that looks and changes nothing. */
export type RunLook = (run: string, env: Readonly<Record<string, string>>, limits: LookLimits, signal: AbortSignal) => Promise<LookEnd>;

/** Users' commands of checks. What they say is judged by its first words. */
export function createRunCheckCommand({ uid, ...options }: CheckCommandOptions): RunCheckCommand {
  const look = createRunLook(options);
  return async (run, env, signal) => {
    const { exitCode, output } = await look(run, env, { uid, longestAnswer: 0 }, signal);
    return { exitCode, output };
  };
}

/**
 * Runs users' commands that look: each in a session, a control group where there is one, and an empty folder of its own, and ends everything that it
 * started when it ends, or when its time is over.
 */
export function createRunLook({ folder, environment, confine }: LookOptions): RunLook {
  return async (run, env, limits, signal) => {
    const mark = join(folder, randomBytes(8).toString("hex"));
    await mkdir(folder, { recursive: true, mode: 0o711 });
    await mkdir(mark, { mode: 0o700 });
    if (limits.uid !== null) {
      await chmod(mark, 0o700);
      await chown(mark, limits.uid, limits.uid);
    }
    try {
      const surroundings = { ...environment, ...env, TMPDIR: mark, HOME: mark, DROVER_BUILD: mark };
      return await runConfined(run, surroundings, { ...limits, cwd: mark, confine }, signal);
    } finally {
      await rm(mark, { recursive: true, force: true });
    }
  };
}

async function runConfined(
  run: string,
  env: Readonly<Record<string, string>>,
  {
    cwd,
    uid,
    confine,
    longestAnswer,
  }: Pick<CheckCommandOptions, "uid" | "confine"> & { readonly cwd: string; readonly longestAnswer: number },
  signal: AbortSignal,
): Promise<LookEnd> {
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
  const output = new Beginning(longestOutput);
  const answer = new Beginning(longestAnswer);
  const reading = Promise.all([read(child.stdout, [output, answer]), read(child.stderr, [output])]);
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
  const exitCode = exit === null ? null : (exit[0] as number | null);
  return { exitCode, output: output.text(), answer: answer.text(), isAnswerCut: answer.isCut };
}

/** The first bytes of what is written to it. */
class Beginning {
  readonly #longest: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  isCut = false;

  constructor(longest: number) {
    this.#longest = longest;
  }

  add(chunk: Buffer): void {
    const room = this.#longest - this.#bytes;
    if (chunk.length > room) this.isCut = true;
    if (room <= 0) return;
    this.#chunks.push(chunk.subarray(0, room));
    this.#bytes += Math.min(room, chunk.length);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

async function read(stream: Readable, into: readonly Beginning[]): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) for (const one of into) one.add(chunk);
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}
