import { spawn } from "node:child_process";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Reason, Workload } from "#model/workload.ts";
import type { HeldInstance } from "./held-instance.ts";
import { sendSignal } from "./proc.ts";
import type { Machinery } from "./start-instance.ts";
import { makeSurroundings } from "./surroundings.ts";

export interface CommandProbeOptions {
  readonly machinery: Machinery;
  readonly held: HeldInstance;
  readonly workload: Workload;
  readonly command: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Runs a probe's command as the app, in the instance's surroundings and within its limits: exit status 0 is well. */
export async function runCommandProbe(options: CommandProbeOptions, signal: AbortSignal): Promise<Reason | null> {
  const { machinery, held, workload, command, timeoutMs, clock } = options;
  const folders = machinery.records.folders(held.id);
  const { cwd, env, uid } = await makeSurroundings(machinery.surroundings, workload, held, folders);
  // It waits for a line before it begins, so that nothing of it runs outside of the instance's group.
  const child = spawn("/bin/sh", ["-c", 'read -r _ && exec /bin/sh -c "$1"', "sh", command], {
    cwd,
    env,
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    ...(uid === null ? {} : { uid, gid: uid }),
  });
  const ended = new Promise<Reason | null>((resolve) => {
    child.once("error", (error) => resolve({ code: "PROBE_FAILED", message: `the probe's command did not start: ${error.message}` }));
    child.once("exit", (code, name) =>
      resolve(code === 0 ? null : { code: "PROBE_FAILED", message: `the probe's command ended with ${name ?? `code ${code}`}` }),
    );
  });
  // A command that ends before it reads its line is judged by its exit status alone.
  child.stdin.on("error", () => {});
  const stop = new AbortController();
  const late = clock.sleep(timeoutMs, AbortSignal.any([signal, stop.signal])).then(
    (): Reason => ({ code: "PROBE_FAILED", message: `the probe's command took longer than ${timeoutMs} ms` }),
    () => ended,
  );
  try {
    if (child.pid !== undefined) await held.run?.cgroup?.add(child.pid);
    child.stdin.end("\n");
    return await Promise.race([ended, late]);
  } finally {
    stop.abort();
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) killSession(child.pid);
  }
}

/** The command and what it started: all of the session that it leads. */
function killSession(pid: number): void {
  try {
    sendSignal(-pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "EPERM")) throw error;
  }
}
