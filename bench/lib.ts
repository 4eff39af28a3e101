import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root } from "../test/harness/drover.ts";

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

const show = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** One row of a result: the figure, what it is compared with in the same run, and the goal. */
export function report(
  what: string,
  figure: number,
  unit: string,
  options: { readonly peer?: readonly [string, number]; readonly goal?: string; readonly ok?: boolean } = {},
): void {
  const peer =
    options.peer === undefined
      ? ""
      : `   ${options.peer[0]} ${show(options.peer[1])} ${unit}   ratio ${(figure / options.peer[1]).toFixed(2)}`;
  const goal = options.goal === undefined ? "" : `   goal ${options.goal}${options.ok === undefined ? "" : options.ok ? " ✓" : " ✗"}`;
  console.log(`${what.padEnd(58)} ${show(figure).padStart(8)} ${unit}${peer}${goal}`);
}

export function skip(what: string, why: string): void {
  console.log(`${what.padEnd(58)}  skipped: ${why}`);
}

/** A temporary folder that every user can read: as root, each app runs as a user of its own. */
export async function publicFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-bench-"));
  await chmod(folder, 0o755);
  return folder;
}

/** A peer from the npm registry, installed beside the project for benches only; null if it cannot be had. */
export async function npmPeer(name: string): Promise<string | null> {
  const folder = join(root, "node_modules", ".cache", "peers");
  const binary = join(folder, "node_modules", ".bin", name);
  if (existsSync(binary)) return binary;
  await mkdir(folder, { recursive: true });
  spawnSync("npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", name], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return existsSync(binary) ? binary : null;
}

/** Whether one HTTP/1.1 GET answers as `isGood` wants, 200 unless it says otherwise; a connection of its own, no client library in the way. */
export function answers(port: number, host: string, isGood: (status: number) => boolean = (status) => status === 200): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`));
    socket.setTimeout(2_000, () => socket.destroy());
    socket.once("data", (chunk) => {
      resolve(isGood(Number(chunk.subarray(9, 12).toString("latin1"))));
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}

/**
 * Resolves when all of them have answered 200 once. While one does not, it alone is asked again and again: to ask 75 of them every time took a
 * good part of the machine from what is measured, through a proxy more than at closed ports.
 */
export async function allAnswer(
  targets: readonly { readonly port: number; readonly host: string }[],
  retryMs = 10,
  limitMs = 60_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  let missing = [...targets];
  for (let last = missing.pop(); last !== undefined; last = missing.pop()) {
    while (!(await answers(last.port, last.host))) {
      if (performance.now() > end) throw new Error(`${missing.length + 1} never answered, ${last.host} among them`);
      await delay(retryMs);
    }
    const found = await Promise.all(missing.map(({ port, host }) => answers(port, host)));
    missing = missing.filter((_, i) => !found[i]);
  }
}

/** A program of bench/parts, so that what it does costs nothing in the one that is measured. It ends when this one does, or disconnects. */
export function startPart(name: string, args: readonly string[]): ChildProcess {
  return fork(join(root, "bench", "parts", name), args, { stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs a command to its end and gives its duration in milliseconds. @throws {Error} if it does not exit with 0. */
export function runTimed(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly cwd?: string } = {},
): Promise<number> {
  return timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(command, args, {
          env: options.env ?? process.env,
          stdio: ["pipe", "ignore", "pipe"],
          ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        });
        let errors = "";
        child.stderr.on("data", (chunk) => (errors += chunk));
        child.stdin.end(options.input ?? "");
        child.on("close", (code) =>
          code === 0 ? resolve() : reject(new Error(`${command} ${args.join(" ")} ended with ${code}: ${errors}`)),
        );
      }),
  );
}

/** Memory of a process in MiB as the kernel counts it: all that is resident, and what of it no other process has. */
export async function memoryOf(pid: number): Promise<{ readonly residentMiB: number; readonly ownMiB: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { residentMiB: field("Rss"), ownMiB: field("Private_Clean") + field("Private_Dirty") };
}

/**
 * What goes before a program so that nothing else on its core makes it wait; nothing where that needs a right that is not there. What else runs
 * on a machine gets whole slices of some milliseconds, which would be all that is seen of waits shorter than that. @param rank who has a higher one goes first where several share a core
 */
export function undisturbed(rank = 1): readonly string[] {
  const chrt = programOnPath("chrt");
  const prefix = chrt === null ? [] : [chrt, "--fifo", String(rank)];
  const [program, ...args] = [...prefix, "true"];
  return program !== undefined && spawnSync(program, args).status === 0 ? prefix : [];
}

/** CPU time that a process has used so far, in seconds. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resolves once something listens on the port at 127.0.0.1; ten seconds are more than any peer takes to start. */
export async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const socket = net.connect(port, "127.0.0.1");
    const isOpen = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    if (isOpen) return;
    await delay(20);
  }
  throw new Error(`nothing listens on port ${port}`);
}
