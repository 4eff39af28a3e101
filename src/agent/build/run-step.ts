import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Confine, Confinement } from "./confinement.ts";
import { measureFolder } from "./measure.ts";
import type { Step } from "./recipe.ts";

/** A line longer than this is cut: nobody reads on, and a program may print gigabytes without a line's end. */
const longestLine = 4_096;
/** Lines shown of one step. A build that prints more is not made slower, and its last lines still come with its failure. */
const mostLines = 20_000;
const lastLines = 20;
const watchMs = 200;
/** Processes and threads of one build. */
const mostProcesses = 1_024;

export interface StepSurroundings {
  /** Where it runs. */
  readonly folder: string;
  /** What it may fill: `folder`, its home and its temporary files. */
  readonly ownFolder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The user that it runs as; null: our own. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly files: number;
  readonly confine: Confine;
  readonly clock: Clock;
}

/**
 * Runs one program of a build to its end, in a session of its own, and ends everything that it started, whatever comes of it.
 * @throws {DroverError} BUILD_FAILED, with its last lines in the details; BUILD_LIMIT; the signal's reason when it aborts
 */
export async function runStep(
  step: Step,
  surroundings: StepSurroundings,
  print: (line: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { folder, environment, user } = surroundings;
  // The prologue waits for its end of input before it starts the program, so that the program never runs unconfined.
  const prologue = 'ulimit -c 0; ulimit -f "$1"; shift; read -r confined; exec "$@" < /dev/null';
  // A little more than all may have together, so that whoever runs into it is over that limit too.
  const largestFileBlocks = Math.ceil(surroundings.diskBytes / 512) + 2_048;
  const child = spawn("/bin/sh", ["-c", prologue, "build", String(largestFileBlocks), ...step.argv], {
    cwd: folder,
    env: environment,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    ...(user ?? {}),
  });
  const exited = once(child, "exit");
  const output = new OutputLines(print);
  // Both fail when it cannot be started, and a race hears both.
  await Promise.race([once(child, "spawn"), exited]);
  const confinement = await confineOrEnd(child, surroundings);
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const reading = Promise.all([output.read(child.stdout), output.read(child.stderr)]);
  let exit: unknown[] | null = null;
  let tooMuch: string | null = null;
  try {
    child.stdin.on("error", () => {
      // It ended before it read its go-ahead; its exit says why.
    });
    child.stdin.end("\n");
    const watching = watch(surroundings, confinement, ended).catch((error: unknown) => over.abort(error));
    exit = await Promise.race([exited, aborted(ended)]);
    if (exit === null) await watching;
  } finally {
    over.abort(null);
    // The kernel may have ended it before we looked.
    tooMuch = await confinement.excess();
    await confinement.kill();
    await exited;
    // Killed together with all that held its ends, so this ends at once.
    await reading;
    await confinement.close();
  }
  signal.throwIfAborted();
  if (over.signal.reason instanceof DroverError) throw over.signal.reason;
  if (exit === null) throw over.signal.reason;
  const [code, killedBy] = exit as [number | null, string | null];
  await output.sayWhatIsMissing();
  if (code === 0) return;
  tooMuch ??= await filledTooMuch(surroundings);
  if (tooMuch !== null) throw limit(tooMuch);
  throw new DroverError(
    "BUILD_FAILED",
    `${step.message} failed: it ${code === null ? `was ended by ${killedBy}` : `exited with ${code}`}`,
    {
      hint: "Its own words are above; correct the source and push again.",
      details: { command: step.argv, exitCode: code, signal: killedBy, lines: output.last },
    },
  );
}

/** A process that cannot be held is not let go on. */
async function confineOrEnd(child: ChildProcess, { confine, environment, memoryBytes }: StepSurroundings): Promise<Confinement> {
  try {
    return await confine(child.pid as number, environment["DROVER_BUILD"] as string, { memoryBytes, processes: mostProcesses });
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

/** Resolves when the signal aborts; throws BUILD_LIMIT as soon as a limit is passed. */
async function watch(surroundings: StepSurroundings, { excess }: Confinement, signal: AbortSignal): Promise<void> {
  const { clock } = surroundings;
  let measureAtMs = 0;
  while (!signal.aborted) {
    const tooMuch = await excess();
    if (tooMuch !== null) throw limit(tooMuch);
    const startedMs = clock.monotonicMs();
    if (startedMs >= measureAtMs) {
      const filled = await filledTooMuch(surroundings);
      if (filled !== null) throw limit(filled);
      // A tenth of our time at most goes into measuring, however many files there are.
      measureAtMs = clock.monotonicMs() + 10 * (clock.monotonicMs() - startedMs);
    }
    await pause(clock, watchMs, signal);
  }
}

async function filledTooMuch({ ownFolder, diskBytes, files }: StepSurroundings): Promise<string | null> {
  const filled = await measureFolder(ownFolder, { bytes: diskBytes, files });
  if (filled.bytes > diskBytes) return `more than ${diskBytes} bytes of disk`;
  return filled.files > files ? `more than ${files} files` : null;
}

function limit(what: string): DroverError {
  return new DroverError("BUILD_LIMIT", `the build was ended because it used more than it may: ${what}`, {
    hint: "Make it need less; for memory, build.memory in the manifest can also give it more.",
  });
}

class OutputLines {
  readonly last: string[] = [];
  readonly #print: (line: string) => Promise<void>;
  #shown = 0;
  #hidden = 0;

  constructor(print: (line: string) => Promise<void>) {
    this.#print = print;
  }

  async read(stream: Readable): Promise<void> {
    const decoder = new StringDecoder("utf8");
    let line = "";
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const pieces = decoder.write(chunk).split(/\r?\n/);
      for (const [i, piece] of pieces.entries()) {
        if (i > 0) {
          await this.#add(line);
          line = "";
        }
        if (line.length < longestLine) line = (line + piece).slice(0, longestLine);
      }
    }
    line += decoder.end();
    if (line !== "") await this.#add(line);
  }

  async sayWhatIsMissing(): Promise<void> {
    if (this.#hidden > 0) await this.#print(`(${this.#hidden} more lines are not shown)`);
  }

  async #add(line: string): Promise<void> {
    this.last.push(line);
    if (this.last.length > lastLines) this.last.shift();
    if (this.#shown >= mostLines) {
      this.#hidden++;
      return;
    }
    this.#shown++;
    await this.#print(line);
  }
}
