// A change of an endpoint until traffic follows, with 10,000 routes and 50,000 endpoints, and the longest that a request waits while all of the table
// is replaced. Usage: node bench/routes.ts [changes]
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { Table } from "../src/edge/table/table.ts";
import { WorkerPool } from "../src/edge/workers/worker-pool.ts";
import { request } from "../test/harness/drover.ts";
import { quantile, report } from "./lib.ts";

const changes = Number(process.argv[2] ?? 100);
const routes = 10_000;
const endpoints = 5;
const keepAlive = new http.Agent({ keepAlive: true });

async function app(name: string): Promise<number> {
  const server = http.createServer((_, answer) => answer.end(name)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}

const ports = await Promise.all(["a", "b"].map(app));
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
const pool = new WorkerPool({ routes: () => table.routes(), clock: systemClock, log: createLog({ print: () => {}, nowMs: () => 0 }) });
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

const waits: number[] = [];
const replacing = pool.apply(table.replace({ epoch: 2, revision: 1, routes: whole(2) })).then(() => performance.now());
const startedAt = performance.now();
let endedAt = 0;
void replacing.then((at) => (endedAt = at));
while (endedAt === 0) {
  const askedAt = performance.now();
  await ask(0);
  waits.push(performance.now() - askedAt);
}
report("all 50,000 endpoints replaced in", endedAt - startedAt, "ms");
report("  longest that a request waited meanwhile (with client and app here)", Math.max(...waits), "ms");
await pool.close(0);
process.exit();
