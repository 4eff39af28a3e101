// Twenty idle apps: memory and CPU of all of Drover's own programs together, over half a minute.
// Usage: node bench/idle.ts [seconds]
import { setTimeout as delay } from "node:timers/promises";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { nodeProcessesOf, TestDrover } from "../test/harness/drover.ts";
import { cpuSecondsOf, memoryOf, report, skip } from "./lib.ts";

const seconds = Number(process.argv[2] ?? 30);
const busybox = programOnPath("busybox");
if (busybox === null) {
  skip("idle with 20 apps", "busybox is not on the path");
  process.exit(0);
}
await using drover = await TestDrover.start();
await drover.apply(
  Array.from(
    { length: 20 },
    (_, i) => `app: app-${i}\nrun: exec ${busybox} httpd -f -p 127.0.0.1:$PORT -h /tmp\nready: { tcp: true }\n`,
  ).join("---\n"),
);
await delay(10_000);
const found = [
  ["agent", [drover.agentPid]],
  ["server", await nodeProcessesOf(drover.home, "src/server/main.ts")],
  ["edge", await nodeProcessesOf(drover.home, "src/edge/main.ts")],
  ["worker", await nodeProcessesOf(drover.home, "src/edge/workers/main.ts")],
] as const;
const programs = found.flatMap(([program, pids]) => pids.map(() => program));
const pids = found.flatMap(([, all]) => all);
const cpu = () => Promise.all(pids.map(cpuSecondsOf));
const before = await cpu();
await delay(seconds * 1_000);
const shares = (await cpu()).map((value, i) => (100 * (value - (before[i] ?? 0))) / seconds);
const share = shares.reduce((sum, value) => sum + value, 0);
let sum = 0;
let own = 0;
let shared = 0;
for (const [i, pid] of pids.entries()) {
  const { residentMiB, ownMiB } = await memoryOf(pid);
  sum += residentMiB;
  own += ownMiB;
  // Mostly Node's program itself, the same pages in all of them.
  shared = Math.max(shared, residentMiB - ownMiB);
  console.log(
    `  ${(programs[i] ?? "").padEnd(8)} ${residentMiB.toFixed(0)} MiB resident, ${ownMiB.toFixed(0)} MiB its own, ${shares[i]?.toFixed(2)} % of a core`,
  );
}
const together = own + shared;
report("idle with 20 apps: resident memory of all programs together", together, "MiB", {
  goal: "≤ 200 MB",
  ok: together * 1.048576 <= 200,
});
report("  the sum of their resident sizes, shared pages each time", sum, "MiB");
report("idle with 20 apps: CPU", share, "% of a core", { goal: "≤ 1 %", ok: share <= 1 });
