// Preloaded into a program that is measured: on SIGPROF it writes the longest pauses of its event loop since the last time to
// $DROVER_PAUSES/PID, as JSON.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";

const folder = process.env["DROVER_PAUSES"];
if (folder !== undefined) {
  const everyMs = 1;
  const delays = monitorEventLoopDelay({ resolution: everyMs });
  delays.enable();
  // Of a pause, what this thread worked: the rest it waited for a core, which says something of the machine alone.
  let ownMs = 0;
  let before = process.threadCpuUsage();
  setInterval(() => {
    const now = process.threadCpuUsage();
    ownMs = Math.max(ownMs, (now.user + now.system - before.user - before.system) / 1e3);
    before = now;
  }, everyMs).unref();
  let collectedMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectedMs = Math.max(collectedMs, duration);
  }).observe({ entryTypes: ["gc"] });
  let cpu = process.cpuUsage();
  process.on("SIGPROF", () => {
    const used = process.cpuUsage(cpu);
    const pauses = {
      longestMs: Math.max(0, delays.max / 1e6 - everyMs),
      ownMs,
      collectedMs,
      cpuMs: (used.user + used.system) / 1e3,
    };
    // Whole or not at all: who asked waits for it to be there.
    const file = join(folder, String(process.pid));
    writeFileSync(`${file}.new`, JSON.stringify(pauses));
    renameSync(`${file}.new`, file);
    delays.reset();
    collectedMs = 0;
    ownMs = 0;
    cpu = process.cpuUsage();
  });
}
