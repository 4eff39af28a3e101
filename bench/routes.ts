// A change of an endpoint until traffic follows, with 10,000 routes and 50,000 endpoints, alone and while all of the table is replaced; and how long
// workers pause and requests wait meanwhile. Clients and apps are programs of their own. Usage: node bench/routes.ts [changes]
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "#host/clock.ts";
import { readTextIfThere } from "#host/files.ts";
import { createLog } from "#host/log.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { TableChange } from "../src/edge/router/router.ts";
import { Table } from "../src/edge/table/table.ts";
import { WorkerPool } from "../src/edge/workers/worker-pool.ts";
import { request } from "../test/harness/drover.ts";
import { quantile, report, startPart, timed } from "./lib.ts";

const changes = Number(process.argv[2] ?? 100);
const routes = 10_000;
const endpoints = 5;
const keepAlive = new http.Agent({ keepAlive: true });

// Before the first worker starts: each measures itself.
const folder = await mkdtemp(join(tmpdir(), "drover-bench-pauses-"));
process.env["DROVER_PAUSES"] = folder;
process.execArgv.push("--import", join(import.meta.dirname, "parts", "pauses.ts"));

const apps = ["a", "b"].map((name) => startPart("named-app.ts", [name]));
const ports = (await Promise.all(apps.map((app) => once(app, "message")))).map(([port]) => port as number);
/** @param generation instances of every generation are others, all at the app of this number */
const route = (number: number, generation: number): Route => ({
  id: `bench/app${number}/web` as RouteId,
  space: "bench",
  app: `app${number}`,
  process: "web",
  listener: { kind: "public", host: `app${number}.test`, path: "/" },
  targets: [
    {
      release: generation,
      weight: 1,
      endpoints: Array.from({ length: endpoints }, (_, i) => ({
        instance: `bench/app${number}/web.${generation}.${i}` as InstanceId,
        host: "127.0.0.1",
        port: ports[generation % 2] as number,
      })),
    },
  ],
});
const whole = (generation: number) => Array.from({ length: routes }, (_, i) => route(i, generation));

const table = new Table({ epoch: 1, revision: 1, routes: whole(0) });
const workers: number[] = [];
const log = createLog({ print: (line) => workers.push(...(/"worker_pid":(\d+)/.exec(line)?.slice(1).map(Number) ?? [])), nowMs: () => 0 });
const pool = new WorkerPool({ routes: () => table.routes(), clock: systemClock, log });
await pool.open("127.0.0.1", 0);
const ask = (number: number) =>
  request({ port: pool.port, method: "GET", path: "/", headers: { host: `app${number}.test` }, agent: keepAlive });

const took: number[] = [];
for (let i = 0; i < changes; i++) {
  const { epoch, revision } = table.version;
  const number = (i * 7_919) % routes;
  const startedAt = performance.now();
  await pool.apply(table.patch({ epoch, from: revision, revision: revision + 1, set: [route(number, 1)], remove: [] }));
  if ((await ask(number)).body !== "b") throw new Error("the change is not in force once it is applied");
  took.push(performance.now() - startedAt);
}
report("change of an endpoint until traffic follows, 10,000 routes: p50", quantile(took, 0.5), "ms");
report("  p99", quantile(took, 0.99), "ms", { goal: "≤ 50 ms", ok: quantile(took, 0.99) <= 50 });

interface Pauses {
  readonly longestMs: number;
  readonly ownMs: number;
  readonly collectedMs: number;
  readonly cpuMs: number;
}

/** What each worker measured since it was asked last. */
async function pauses(): Promise<readonly Pauses[]> {
  return Promise.all(
    workers.map(async (pid) => {
      const file = join(folder, String(pid));
      await rm(file, { force: true });
      process.kill(pid, "SIGPROF");
      for (;;) {
        const text = await readTextIfThere(file);
        if (text !== null) return JSON.parse(text) as Pauses;
        await delay(1);
      }
    }),
  );
}
const longest = (all: readonly Pauses[], of: keyof Pauses) => Math.max(...all.map((one) => one[of]));

const asker = startPart("asker.ts", [String(pool.port), "app0.test"]);
await once(asker, "message");
asker.send("start");
await pauses();
// As long as the change will take, so that both have met as much of what else this machine does.
await delay(3_000);
const quiet = await pauses();
asker.send("stop");
await once(asker, "message");

asker.send("start");
let change: TableChange = { set: [], remove: [] };
const next = whole(2);
const comparedInMs = await timed(async () => void (change = table.replace({ epoch: 2, revision: 1, routes: next })));
let isReplaced = false;
const replacing = timed(() => pool.apply(change)).finally(() => (isReplaced = true));
/** Of routes that are the last in the table, while it is replaced. */
const overtook: number[] = [];
for (let number = routes - 1; !isReplaced; number--) {
  const { epoch, revision } = table.version;
  const startedAt = performance.now();
  await pool.apply(table.patch({ epoch, from: revision, revision: revision + 1, set: [route(number, 3)], remove: [] }));
  if (!isReplaced) overtook.push(performance.now() - startedAt);
  if ((await ask(number)).body !== "b") throw new Error("a change that overtook another is in force once it is applied, and stays");
  await delay(20);
}
const replacedInMs = await replacing;
if ((await ask(routes - 1)).body !== "b") throw new Error("what overtook a change is not undone by it");
const busy = await pauses();
asker.send("stop");
const [{ waits, failed }] = (await once(asker, "message")) as [{ readonly waits: readonly number[]; readonly failed: number }];
report("all 50,000 endpoints replaced in", replacedInMs, "ms");
report("  what differs was found in", comparedInMs, "ms");
report("  changes meanwhile: p50", quantile(overtook, 0.5), "ms");
report("    longest", Math.max(...overtook), "ms", { goal: "≤ 50 ms", ok: Math.max(...overtook) <= 50 });
report("  longest pause of a worker", longest(busy, "longestMs"), "ms", {
  peer: ["with no change", longest(quiet, "longestMs")],
});
report("  of it at work, not waiting for a core", longest(busy, "ownMs"), "ms", {
  peer: ["with no change", longest(quiet, "ownMs")],
  goal: "≤ 10 ms",
  ok: longest(busy, "ownMs") <= 10,
});
report("  longest collection of garbage", longest(busy, "collectedMs"), "ms");
report("  CPU time of each worker", longest(busy, "cpuMs"), "ms");
report("  longest that a request waited", Math.max(...waits), "ms");
report("  requests that failed", failed, `of ${waits.length}`, { goal: "0", ok: failed === 0 });
for (const part of [...apps, asker]) part.disconnect();
await pool.close(0);
await rm(folder, { recursive: true });
process.exit();
