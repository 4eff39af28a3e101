import { type ChildProcess, spawn } from "node:child_process";
import { constants, watch } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { isAlive, type ProcessIdentity, readProcess, sendSignal } from "./proc.ts";

export interface LaunchSpec {
  /** The script that becomes the parent, at a place that the instance's user can read. */
  readonly script: string;
  readonly io: string;
  readonly exitFile: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Null: the user that runs Drover. */
  readonly uid: number | null;
  /** Open files that the process inherits, from file descriptor `firstInherited` on. */
  readonly files: readonly number[];
  /** Puts the parent, and with it all that it will start, under the instance's limits. */
  readonly confine: (pid: number) => Promise<void>;
}

/** After the standard ones, the channel to the agent and the instance's output. */
export const firstInherited = 5;

/** The process of an instance and the parent that waits for it, as the agent holds them. */
export interface InstanceProcess {
  readonly parent: ProcessIdentity;
  readonly main: ProcessIdentity;
  /** Resolves when the main process has ended: its exit status in the shell's way (128 + signal), or null if it could not be learnt. */
  readonly ended: Promise<number | null>;
  /** After the end: another process of the same parent, at the gate again. Null when that parent is not there to do it. */
  again(): Promise<LaunchedProcess | null>;
  /** Lets the parent go, once its pipe is open for reading here and the group is empty. Resolves when it is gone. */
  release(): Promise<void>;
  /** Stops looking, and leaves the processes alone. */
  detach(): void;
}

/** Waits at a gate: nothing of the user's has run yet. */
export interface LaunchedProcess extends InstanceProcess {
  /** Opens the gate. */
  go(): void;
}

/** A shell needs a millisecond; even a machine that swaps needs no longer than this to say its pid. */
const launchTimeoutMs = 15_000;
/** A parent that was told to go has nothing left to do; one that takes this long is killed. */
const releaseTimeoutMs = 1_000;

/**
 * Starts the parent of an instance, up to the gate.
 * @throws {DroverError} EXEC_FAILED if it cannot be started.
 */
export async function launch(spec: LaunchSpec, clock: Clock, signal: AbortSignal): Promise<LaunchedProcess> {
  signal.throwIfAborted();
  const child = spawn("/bin/sh", [spec.script, spec.io, ...spec.argv], {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    // The fourth is taken by the script, for the instance's output.
    stdio: ["ignore", "ignore", "ignore", "pipe", "ignore", ...spec.files],
    ...(spec.uid === null ? {} : { uid: spec.uid, gid: spec.uid }),
  });
  const parent = new LaunchedParent(child, spec, clock, signal);
  try {
    if (child.pid === undefined) throw await parent.gone;
    await spec.confine(child.pid);
    return await parent.run();
  } catch (error) {
    child.kill("SIGKILL");
    throw new DroverError("EXEC_FAILED", `the process could not be started in ${spec.cwd}`, {
      cause: error,
      hint: "The folder has to exist and be open to the app's user, and the machine has to have room for another process.",
    });
  }
}

/** A parent that this agent started, and so can tell to run its command any number of times, one after the other. */
class LaunchedParent {
  /** Resolves, with the reason, when the parent is gone. */
  readonly gone: Promise<Error>;
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  readonly #spec: LaunchSpec;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #isGone = false;
  #says = Promise.withResolvers<number>();
  #ended = Promise.withResolvers<number | null>();

  constructor(child: ChildProcess, spec: LaunchSpec, clock: Clock, signal: AbortSignal) {
    this.#child = child;
    this.#channel = child.stdio[3] as Socket;
    this.#spec = spec;
    this.#clock = clock;
    this.#signal = signal;
    const gone = Promise.withResolvers<Error>();
    this.gone = gone.promise;
    child.once("error", (error) => gone.resolve(error));
    child.once("exit", () => gone.resolve(new Error("the parent of the instance ended")));
    void this.gone.then((error) => {
      this.#isGone = true;
      this.#says.reject(error);
    });
    this.#listen();
  }

  /** Makes the next process, at the gate. */
  async run(): Promise<LaunchedProcess> {
    await rm(this.#spec.exitFile, { force: true });
    const says = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<number | null>();
    this.#says = says;
    this.#ended = ended;
    if (this.#isGone) throw await this.gone;
    this.#channel.write("run\n");
    const timer = setTimeout(() => says.reject(new Error(`the parent did not report within ${launchTimeoutMs} ms`)), launchTimeoutMs);
    const pid = await says.promise.finally(() => clearTimeout(timer));
    const main = await readProcess(pid);
    const parent = this.#child.pid === undefined ? null : await readProcess(this.#child.pid);
    if (main === null || parent === null) throw new Error("the instance ended before it was started");
    // Whoever killed the parent did not kill the instance: its end is looked for.
    void this.gone.then(() => watchOrphan(main, this.#clock, this.#signal)).then(ended.resolve, ended.reject);
    // Whoever waits for the end gets the error; until somebody does, it must not count as unhandled.
    ended.promise.catch(() => {});
    return {
      parent,
      main,
      ended: ended.promise,
      go: () => this.#channel.write("go\n"),
      again: async () => (this.#isGone ? null : this.run()),
      release: () => this.#release(),
      detach: () => {
        this.#channel.destroy();
        this.#child.unref();
        ended.reject(new Error("the agent let go of the instance"));
      },
    };
  }

  #listen(): void {
    let text = "";
    this.#channel.setEncoding("latin1");
    this.#channel.on("data", (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
        const [word, number] = text.slice(0, end).split(" ");
        text = text.slice(end + 1);
        if (word === "pid") this.#says.resolve(Number(number));
        if (word === "exit") this.#ended.resolve(Number(number));
      }
    });
    // The parent's own end is what tells; a reset of its socket adds nothing.
    this.#channel.on("error", () => {});
    // A parent that ends before anybody waits for its word is told to whoever waits next.
    this.#says.promise.catch(() => {});
  }

  async #release(): Promise<void> {
    this.#channel.end("bye\n");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), releaseTimeoutMs);
    await this.gone;
    clearTimeout(timer);
  }
}

/** How often to look after a process whose parent is gone: nobody else tells. */
const orphanPollMs = 200;
/** How often to look after an adopted parent: its exit file is watched, this is for when the parent itself was killed. */
const adoptedPollMs = 1_000;
/** A parent writes the exit status at once. */
const statusWithinMs = 2_000;
/** How often to look whether a parent that was killed is gone, within the time that one is given to go. */
const releaseLooks = 200;

async function watchOrphan(main: ProcessIdentity, clock: Clock, signal: AbortSignal): Promise<number | null> {
  while (await isAlive(main)) await clock.sleep(orphanPollMs, signal);
  return null;
}

/**
 * Takes over an instance that an earlier agent started: by identity, never by number alone.
 * Null when nothing of it is left and no exit status either.
 */
export async function adopt(
  { parent, main }: { readonly parent: ProcessIdentity; readonly main: ProcessIdentity },
  io: string,
  exitFile: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<InstanceProcess | null> {
  const [parentLives, mainLives] = await Promise.all([isAlive(parent), isAlive(main)]);
  const status = await readExitStatus(exitFile);
  if (!parentLives && !mainLives && status === null) return null;
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const ended = status !== null && !mainLives ? Promise.resolve(status) : waitForExit({ parent, main }, io, exitFile, clock, until);
  // As above: an adopted instance may be let go before anybody waits for its end.
  ended.catch(() => {});
  return {
    parent,
    main,
    ended,
    again: async () => null,
    release: async () => {
      if (await isAlive(parent)) sendSignal(parent.pid, "SIGKILL");
      // It is not our child, so nobody tells when it is gone; its group cannot be removed before.
      for (let look = 0; look < releaseLooks && (await isAlive(parent)); look++) await clock.sleep(releaseTimeoutMs / releaseLooks, signal);
    },
    detach: () => stop.abort(new Error("detached")),
  };
}

async function waitForExit(
  { parent, main }: { readonly parent: ProcessIdentity; readonly main: ProcessIdentity },
  io: string,
  exitFile: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<number | null> {
  let wake = () => {};
  const watcher = watch(io, { signal, persistent: false }, () => wake());
  watcher.on("error", () => wake());
  let mainGoneAtMs: number | null = null;
  try {
    for (;;) {
      const looked = new AbortController();
      wake = () => looked.abort();
      const status = await readExitStatus(exitFile);
      if (status !== null) return status;
      const mainLives = await isAlive(main);
      if (!mainLives && !(await isAlive(parent))) return await readExitStatus(exitFile);
      // A parent that was about to run it once more when its agent died has no status to tell any more.
      if (!mainLives) mainGoneAtMs ??= clock.monotonicMs();
      if (mainGoneAtMs !== null && clock.monotonicMs() - mainGoneAtMs > statusWithinMs) return null;
      const pollMs = (await isAlive(parent)) ? adoptedPollMs : orphanPollMs;
      await pause(clock, pollMs, AbortSignal.any([signal, looked.signal]));
      signal.throwIfAborted();
    }
  } finally {
    watcher.close();
  }
}

/** The instance can write this file itself: nothing but a short number is believed, and no link is followed. */
export async function readExitStatus(file: string): Promise<number | null> {
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(32), 0, 32, 0);
    const status = /^exit (\d{1,3})\n$/.exec(buffer.toString("latin1", 0, bytesRead))?.[1];
    return status === undefined ? null : Number(status);
  } catch (error) {
    if (["ENOENT", "ELOOP", "EISDIR", "EAGAIN"].some((code) => hasCode(error, code))) return null;
    throw error;
  }
}
