import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Home } from "#host/home.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { took } from "#model/quantities.ts";
import type { Verb } from "../command.ts";

/** Drain and grace of apps are cut to a few seconds when the whole machine stops; it is over within 10 s. */
const defaultTimeoutMs = 15_000;
const lookEveryMs = 25;

interface RunningAgent {
  readonly pid: number;
  /** Start of the process in clock ticks since boot, as /proc/<pid>/stat says: with it, a pid that was used again is not mistaken for ours. */
  readonly startTicks: string | null;
}

export default {
  async run(session) {
    const { out, clock, common, home, progress, signal } = session;
    const agent = await runningAgent(home);
    const startedMs = clock.monotonicMs();
    const stopped = (pid: number | null) => {
      const spentMs = clock.monotonicMs() - startedMs;
      if (out.json) out.value({ stopped: true, pid, tookMs: Math.round(spentMs) });
      else out.line(`stopped Drover and its apps in ${took(spentMs)}; their state is kept`);
    };
    if (agent === null) {
      if ((await stopWhatIsLeft(home, signal)) > 0) stopped(null);
      else if (out.json) out.value({ stopped: false });
      else out.line(`no Drover runs on "${home.root}"`);
      return 0;
    }
    terminate(agent, home);
    const timeoutMs = common.timeoutMs ?? defaultTimeoutMs;
    while (await isAlive(agent)) {
      const spentMs = clock.monotonicMs() - startedMs;
      if (spentMs > timeoutMs) {
        throw new DroverError("UNHEALTHY", `Drover (pid ${agent.pid}) has not stopped within ${took(timeoutMs)}`, {
          hint: "It goes on stopping. Look at its output for what it waits for.",
        });
      }
      if (spentMs > 500) progress.show([`stopping, ${took(spentMs)}`]);
      await clock.sleep(lookEveryMs, signal);
    }
    progress.clear();
    stopped(agent.pid);
    return 0;
  },
} satisfies Verb;

/** The agent that runs on this home, or null if its pid file is stale or there is none. */
async function runningAgent(home: Home): Promise<RunningAgent | null> {
  let text: string;
  try {
    text = await readFile(join(home.run, "agent.json"), "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return null;
    if (!hasCode(error, "EACCES")) throw error;
    throw new DroverError("FORBIDDEN", `not allowed to read what runs on "${home.root}"`, {
      cause: error,
      hint: "Run the command as the user who started Drover.",
    });
  }
  const noted: unknown = JSON.parse(text);
  const pid = typeof noted === "object" && noted !== null && "pid" in noted ? noted.pid : null;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 1) return null;
  if (!(await isDrover(pid))) return null;
  return { pid, startTicks: await startTicks(pid) };
}

/** Ends what runs on without an agent, because that was killed; by another one, since only agents know how. How many instances there were. */
async function stopWhatIsLeft(home: Home, signal: AbortSignal): Promise<number> {
  if (!existsSync(home.agent)) return 0;
  const child = spawn(join(import.meta.dirname, "../../../bin/drover"), ["agent", "--down", "--home", home.root], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  // It hurries then, and ends with everything killed.
  const hurry = () => child.kill("SIGTERM");
  signal.addEventListener("abort", hurry, { once: true });
  const [[code], answer, error] = await Promise.all([once(child, "exit"), text(child.stdout), text(child.stderr)]);
  signal.removeEventListener("abort", hurry);
  if (code === 0) return (JSON.parse(answer) as { readonly stopped: number }).stopped;
  throw new DroverError("UNHEALTHY", `what is left on "${home.root}" could not be stopped: ${error.trim()}`, {
    hint: 'Run "drover down" again, as the user who started Drover.',
  });
}

/** Whether the process is a Drover agent, and not one that got its pid after a crash. */
async function isDrover(pid: number): Promise<boolean> {
  if (process.platform !== "linux") return isThere(pid);
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").some((arg) => arg.endsWith("/agent/main.ts"));
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return false;
    throw error;
  }
}

function terminate({ pid }: RunningAgent, home: Home): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if (hasCode(error, "ESRCH")) return;
    throw new DroverError("FORBIDDEN", `not allowed to stop the Drover on "${home.root}" (pid ${pid})`, {
      cause: error,
      hint: "Run the command as the user who started Drover.",
    });
  }
}

async function isAlive(agent: RunningAgent): Promise<boolean> {
  return isThere(agent.pid) && (await startTicks(agent.pid)) === agent.startTicks;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}

async function startTicks(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name before the last ")" may hold anything; the start time is the 20th field after it. A zombie ("Z") is gone.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "gone" : (fields[19] ?? null);
  } catch (error) {
    // No such process, or no /proc on this system: `isThere` decides then.
    if (!hasCode(error, "ENOENT") && !hasCode(error, "ESRCH")) throw error;
    return null;
  }
}
