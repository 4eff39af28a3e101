import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { drained } from "#link/ndjson.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { ExecSession } from "../engines/engine.ts";
import { markerVariable, signalIfThere } from "./leftovers.ts";
import { OutputQueue } from "./output-queue.ts";
import { type Exit, superviseSession } from "./session.ts";
import { type ExecSurroundings, resolveCommand } from "./surroundings.ts";

/** Waits until the process is where it belongs; if nobody says so any more, the command never runs. */
const gate = 'read -r _ <&3 || exit 126; exec 3<&-; exec "$@"';

/** Runs a command without a terminal: output and error output stay apart. */
export async function startPipeSession(
  surroundings: ExecSurroundings,
  { marker, clock }: { readonly marker: string; readonly clock: Clock },
  signal: AbortSignal,
): Promise<ExecSession> {
  const argv = await resolveCommand(surroundings);
  signal.throwIfAborted();
  const { cwd, env, uid, gid, join } = surroundings;
  const child = spawn("/bin/sh", ["-c", gate, "sh", ...argv], {
    cwd,
    env: { ...env, [markerVariable]: marker },
    ...(uid === null ? {} : { uid }),
    ...(gid === null ? {} : { gid }),
    detached: true,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
  });
  const exited = whenExited(child);
  const pid = await whenSpawned(child);
  const streams = child.stdio.filter((stream) => stream !== null && stream !== undefined);
  const letGo = () => {
    for (const stream of streams) stream.destroy();
  };
  const supervised = superviseSession({ pid, marker, exited, letGo, clock }, signal);
  const { stdin: input, stdout: output, stderr: errors } = child;
  const opener = child.stdio[3] as Writable;
  const queue = new OutputQueue();
  queue.add("stdout", output);
  queue.add("stderr", errors);
  // A command that reads no more makes writing fail; that is its right, and its exit says what came of it.
  for (const stream of [input, opener]) stream.on("error", () => stream.destroy());
  try {
    await join(pid);
  } catch (error) {
    signalIfThere(-pid, "SIGKILL");
    await supervised;
    throw new DroverError("EXEC_FAILED", "the command could not be put into the instance's limits", {
      hint: "Try again; the instance may just have ended.",
      cause: error,
    });
  }
  opener.end("\n");
  return {
    output: queue,
    exit: supervised,
    write: async (bytes) => {
      if (input.writable && !input.write(bytes)) await drainedOrClosed(input, signal);
    },
    end: () => {
      input.end();
    },
    resize: () => {
      // Without a terminal there is no size.
    },
    signal: (name) => signalIfThere(-pid, name),
  };
}

/** Waits until `stream` takes more, or never will. */
export async function drainedOrClosed(stream: Writable, signal: AbortSignal): Promise<void> {
  try {
    await drained(stream, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!stream.destroyed) throw error;
  }
}

export function whenSpawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid ?? 0));
    child.once("error", (error) =>
      reject(
        new DroverError("EXEC_FAILED", "the command could not be started", {
          hint: "The log of the agent and the free memory and processes of the machine may tell why.",
          cause: error,
        }),
      ),
    );
  });
}

function whenExited(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
}
