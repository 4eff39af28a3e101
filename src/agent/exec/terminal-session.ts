import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { TerminalSize } from "#model/exec.ts";
import type { ExecSession } from "../engines/engine.ts";
import { readProcess } from "../engines/local/proc.ts";
import { foregroundGroup, markerVariable, signalIfThere } from "./leftovers.ts";
import { OutputQueue } from "./output-queue.ts";
import { drainedOrClosed, whenSpawned } from "./pipe-session.ts";
import { type Exit, superviseSession } from "./session.ts";
import { type ExecSurroundings, resolveCommand } from "./surroundings.ts";
import type { HostOrder, HostReport } from "./terminal-protocol.ts";

const hostProgram = fileURLToPath(new URL("terminal-host.ts", import.meta.url));
/** How often, and how many times, a new process is looked at until it has stopped at its gate: five seconds in all. */
const gateLook = { everyMs: 2, times: 2_500 } as const;
const endOfInput = Buffer.from([4]);

/** Runs a command in a terminal of its own, held by a process of its own (see `terminal-host.ts`). */
export async function startTerminalSession(
  surroundings: ExecSurroundings & { readonly terminal: TerminalSize },
  { marker, clock }: { readonly marker: string; readonly clock: Clock },
  signal: AbortSignal,
): Promise<ExecSession> {
  const argv = await resolveCommand(surroundings);
  signal.throwIfAborted();
  const host = spawn(process.execPath, [hostProgram], { env: hostEnvironment(), stdio: ["pipe", "pipe", "inherit", "ipc"] });
  await whenSpawned(host);
  const { cwd, env, uid, gid, terminal, join } = surroundings;
  const exited = whenExited(host);
  const started = whenStarted(host);
  // A host that is gone has said so by its exit.
  const tell = (order: HostOrder) => host.connected && host.send(order, () => {});
  tell({ kind: "start", argv, cwd, env: { ...env, [markerVariable]: marker }, uid, gid, size: terminal });
  const pid = await started;
  const letGo = () => {
    host.stdout?.destroy();
    host.kill("SIGKILL");
  };
  const supervised = superviseSession({ pid, marker, exited, letGo, clock }, signal);
  const { stdin, stdout } = host;
  if (stdin === null || stdout === null) throw new Error("the terminal's host has no pipes");
  const queue = new OutputQueue();
  queue.add("stdout", stdout);
  stdin.on("error", () => stdin.destroy());
  try {
    await whenAtGate(pid, clock, signal);
    await join(pid);
  } catch (error) {
    signalIfThere(-pid, "SIGKILL");
    await supervised;
    signal.throwIfAborted();
    throw new DroverError("EXEC_FAILED", "the command could not be put into the instance's limits", {
      hint: "Try again; the instance may just have ended.",
      cause: error,
    });
  }
  signalIfThere(pid, "SIGCONT");
  return {
    output: queue,
    exit: supervised,
    write: async (bytes) => {
      if (stdin.writable && !stdin.write(bytes)) await drainedOrClosed(stdin, signal);
    },
    end: () => {
      if (stdin.writable) stdin.write(endOfInput);
    },
    resize: latestOnly((size) => tell({ kind: "resize", size })),
    signal: (name) => {
      void foregroundGroup(pid).then((group) => signalIfThere(-(group ?? pid), name));
    },
  };
}

/** The host needs nothing of the agent's environment but the cache that makes it start fast. */
function hostEnvironment(): NodeJS.ProcessEnv {
  const cache = process.env["NODE_COMPILE_CACHE"];
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: cache };
}

function whenStarted(host: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) =>
      reject(new DroverError("EXEC_FAILED", `no terminal could be made: ${message}`, { hint: "Run it without a terminal." }));
    host.once("message", (report: HostReport) => {
      if (report.kind === "started") resolve(report.pid);
      else fail(report.kind === "failed" ? report.message : "its command ended at once");
    });
    host.once("exit", (code, signal) => fail(`its host ended with ${signal ?? code}`));
  });
}

/** The command's exit; should its host die first, then what is known. */
function whenExited(host: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    host.on("message", (report: HostReport) => {
      if (report.kind === "exited") resolve({ code: report.code, signal: report.signal });
    });
    host.once("exit", (_code, signal) => resolve({ code: null, signal }));
  });
}

async function whenAtGate(pid: number, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let look = 0; look < gateLook.times; look++) {
    const found = await readProcess(pid);
    if (found === null || found.state === "Z") throw new Error("the command ended before it began");
    if (found.state === "T") return;
    await clock.sleep(gateLook.everyMs, signal);
  }
  throw new Error("the command did not start within 5 s");
}

/** A storm of sizes becomes one a turn of the event loop. */
function latestOnly(send: (size: TerminalSize) => void): (size: TerminalSize) => void {
  let latest: TerminalSize | null = null;
  return (size) => {
    if (latest === null) {
      setImmediate(() => {
        if (latest !== null) send(latest);
        latest = null;
      });
    }
    latest = size;
  };
}
