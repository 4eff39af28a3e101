import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { Control } from "./control.ts";

/** A configuration of 10,000 routes is read in under a second; a machine under load takes longer. */
const startWithinMs = 20_000;
const askAgainMs = 3;
/** What is kept of HAProxy's words about why it does not start. */
const longestWords = 64_000;

/**
 * The C library gives memory back to the system, and asks for it again, only in steps of these bytes: else HAProxy's buffers, which come and go
 * with requests, make it do both thousands of times a second (glibc's mallopt(3); others pass over it).
 */
const keptMemory = { MALLOC_TRIM_THRESHOLD_: String(16 * 1024 * 1024), MALLOC_TOP_PAD_: String(1024 * 1024) } as const;

export interface Launch {
  readonly binary: string;
  readonly folder: string;
  readonly config: string;
  /** Name of the control socket in the folder. */
  readonly control: string;
  /** Control socket of the process whose listeners it takes over; null: it opens its own. */
  readonly from: string | null;
  /** Sockets that it inherits, as descriptors from 3. */
  readonly fds: readonly number[];
  readonly clock: Clock;
  readonly log: Log;
}

/** HAProxy did not start; `words` are its own. */
export class StartFailure extends Error {
  readonly words: string;
  constructor(words: string, code: number | null) {
    super(`HAProxy ended with ${code} before it served`);
    this.words = words;
  }
}

/** One process of HAProxy that serves a configuration. */
export class HaproxyProcess {
  readonly pid: number;
  readonly control: Control;
  /** Resolves when it has ended, or can no longer be told anything. */
  readonly ended: Promise<void>;

  private constructor(pid: number, control: Control, ended: Promise<void>) {
    this.pid = pid;
    this.control = control;
    this.ended = ended;
  }

  /** Resolves once it answers and has the ports. @throws {StartFailure} if it ends instead. */
  static async start({ binary, folder, config, control, from, fds, clock, log }: Launch): Promise<HaproxyProcess> {
    const child = spawn(binary, ["-db", "-f", config, ...(from === null ? [] : ["-x", from])], {
      cwd: folder,
      // A session of its own: signals to the edge's process group, as Ctrl-C, are the edge's to act on.
      detached: true,
      env: { ...process.env, ...keptMemory },
      stdio: ["ignore", "ignore", "pipe", ...fds],
    });
    const exited = exitOf(child);
    let words = "";
    readLines(child.stderr, (line) => {
      words = `${words}${line}\n`.slice(-longestWords);
      log.debug("HAProxy said", { words: line });
    });
    const path = join(folder, control);
    const startedAtMs = clock.monotonicMs();
    for (;;) {
      const connected = await Promise.race([exited, connect(path)]);
      if (connected instanceof Control) {
        const { closed } = connected;
        // Whoever answers has a number; 0 would mean the edge's own process group.
        if (child.pid === undefined) throw new Error("a HAProxy that answers has no pid");
        return new HaproxyProcess(child.pid, connected, Promise.race([exited.then(() => {}), closed]));
      }
      if (connected !== null) throw new StartFailure(connected.error?.message ?? words, connected.code);
      if (clock.monotonicMs() - startedAtMs > startWithinMs) {
        child.kill("SIGKILL");
        throw new StartFailure(`it did not answer within ${startWithinMs} ms\n${words}`, null);
      }
      await clock.sleep(askAgainMs, new AbortController().signal);
    }
  }

  /** One that somebody else started. */
  static async adopt(pid: number, path: string): Promise<HaproxyProcess | null> {
    const control = await connect(path);
    if (control === null) return null;
    return new HaproxyProcess(pid, control, control.closed);
  }

  /** Whether it is gone already makes no difference. */
  kill(signal: "SIGUSR1" | "SIGTERM" | "SIGKILL"): void {
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if (!hasCode(error, "ESRCH")) throw error;
    }
  }
}

interface Exit {
  readonly code: number | null;
  readonly error: Error | null;
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const failed = once(child, "error").then(([error]) => ({ code: null, error: error as Error }));
  const closed = once(child, "close").then(([code]) => ({ code: code as number | null, error: null }));
  // The one that never comes must not be reported as unhandled.
  return Promise.race([failed, closed]);
}

async function connect(path: string): Promise<Control | null> {
  try {
    return await Control.connect(path);
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ECONNREFUSED")) return null;
    if (error instanceof Error && !("code" in error)) return null;
    throw error;
  }
}

function readLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(-longestWords);
    for (const line of lines) onLine(line);
  });
}
