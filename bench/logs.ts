/*
 * How many lines of 100 bytes a second go from an app's pipe to the disk, and what a flood costs: `node bench/logs.ts`.
 * Peer: `cat` of the same bytes from the same kind of pipe into a file, which neither splits nor numbers nor stamps.
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLogRules } from "../src/agent/logs/log-rules.ts";
import { openLogStore } from "../src/agent/logs/log-store.ts";
import { systemClock } from "../src/host/clock.ts";
import { createLog } from "../src/host/log.ts";
import type { InstanceId, MachineId } from "../src/model/names.ts";
import { report } from "./lib.ts";
import { feed, makePipe, readEndOf } from "./parts/fed-pipe.ts";

const lines = 3_000_000;
const never = new AbortController().signal;
const unbounded = { bytesPerSecond: 2 ** 40, burstBytes: 2 ** 40 };
const folder = await mkdtemp(join(tmpdir(), "drover-bench-logs-"));
const log = createLog({ print: (line) => process.stderr.write(line), nowMs: Date.now, least: "error" });
const source = join(folder, "source");
await writeFile(source, `${"x".repeat(99)}\n`.repeat(lines));

const pipe = (name: string) => makePipe(join(folder, name));

async function measurePeer(): Promise<number> {
  const file = pipe("peer");
  const startMs = performance.now();
  const reader = spawn("sh", ["-c", 'exec cat <"$0" >"$1"', file, join(folder, "peer.out")], { stdio: "inherit" });
  const read = new Promise((resolve) => reader.once("exit", resolve));
  await feed(file, source);
  await read;
  return lines / ((performance.now() - startMs) / 1_000);
}

/** CPU time of this thread from one turn of the event loop to the next: unlike the clock's, it is not longer on a busy machine. */
function watchTurns(): { readonly stop: () => void; readonly longestMs: () => number } {
  const cpuMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  let last = cpuMs();
  let longest = 0;
  const look = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  return { stop: () => clearInterval(timer), longestMs: () => longest };
}

interface Measured {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly keptShare: number;
  readonly turnMs: number;
  readonly grownMb: number;
}

async function measureStore(name: string, rules: typeof defaultLogRules): Promise<Measured> {
  const store = await openLogStore({ folder: join(folder, name), machine: "m1" as MachineId, clock: systemClock, log, rules }, never);
  const file = pipe(`${name}.pipe`);
  const input = readEndOf(file);
  const turns = watchTurns();
  const residentBefore = process.memoryUsage.rss();
  let residentMost = residentBefore;
  const watch = setInterval(() => (residentMost = Math.max(residentMost, process.memoryUsage.rss())), 20);
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const { ended } = store.attach("bench/app/web.1.aaaaa" as InstanceId, input);
  await Promise.all([feed(file, source), ended]);
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  turns.stop();
  clearInterval(watch);
  const keptShare = Math.min(1, store.stats().bytes / (100 * lines));
  await store.close();
  return {
    perSecond: lines / (tookMs / 1_000),
    perCpuSecond: lines / ((user + system) / 1e6),
    keptShare,
    turnMs: turns.longestMs(),
    grownMb: (residentMost - residentBefore) / 2 ** 20,
  };
}

async function measureIdle(): Promise<number> {
  const store = await openLogStore({ folder: join(folder, "idle"), machine: "m1" as MachineId, clock: systemClock, log }, never);
  const sockets = Array.from({ length: 100 }, (_, index) => {
    const socket = readEndOf(pipe(`idle-${index}`), constants.O_RDWR);
    store.attach(`bench/app-${index}/web.1.aaaaa` as InstanceId, socket);
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const { user, system } = process.cpuUsage(before);
  for (const socket of sockets) socket.destroy();
  await store.close();
  return (user + system) / 1e4;
}

try {
  const open = { ...defaultLogRules, intake: unbounded, read: unbounded, appBytes: 2 ** 40, totalBytes: 2 ** 40 };
  const peer = await measurePeer();
  const all = await measureStore("all", open);
  report("lines of 100 bytes from a pipe to the disk", all.perSecond, "lines/s", {
    peer: ["cat", peer],
    goal: "≥ 1 M a core",
    ok: all.perCpuSecond >= 1e6,
  });
  report("  for a second of CPU", all.perCpuSecond, "lines");
  report("  kept", 100 * all.keptShare, "%");
  report("  longest turn of the event loop, CPU time", all.turnMs, "ms");
  report("  memory added", all.grownMb, "MB");
  const flood = await measureStore("flood", defaultLogRules);
  report("a flood under the default rules, read", flood.perSecond, "lines/s");
  report("  kept", 100 * flood.keptShare, "%");
  report("  longest turn of the event loop, CPU time", flood.turnMs, "ms", { goal: "≤ 10", ok: flood.turnMs <= 10 });
  report("  memory added", flood.grownMb, "MB", { goal: "≤ 64", ok: flood.grownMb <= 64 });
  report("idle with 100 instances", await measureIdle(), "% of a core");
} finally {
  await rm(folder, { recursive: true, force: true });
}
