// Memory of the workers for each connection that is held: idle ones, and WebSockets through to an app, and whether all of them still answer after
// a while. Usage: node bench/connections.ts [connections of each kind]
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { WorkerPool } from "../src/edge/workers/worker-pool.ts";
import { memoryOf, report, startPart } from "./lib.ts";

/** Files, listeners and channels of one process. */
const ownDescriptors = 300;
const wanted = Number(process.argv[2] ?? 10_000);
// Node raises the soft limit to the hard one by itself. The app and each client hold one for each connection; a worker two, of its part.
const limit = Number(/^Max open files +\d+ +(\d+)/m.exec(await readFile("/proc/self/limits", "utf8"))?.[1] ?? 1_024);
const count = Math.min(wanted, limit - ownDescriptors);
if (count < wanted) console.log(`the limit of open files, ${limit}, lets this hold ${count} of each kind and not ${wanted}`);

const host = "bench.test";
const app = startPart("named-app.ts", ["hello"]);
const [port] = (await once(app, "message")) as [number];
const instance = "bench/app/web.1.aaaaa" as InstanceId;
const route: Route = {
  id: "bench/app/web" as RouteId,
  space: "bench",
  app: "app",
  process: "web",
  listener: { kind: "public", host, path: "/" },
  targets: [{ release: 1, weight: 1, endpoints: [{ instance, host: "127.0.0.1", port }] }],
};
for (const kind of ["idle", "websocket"]) {
  // Workers of its own for each kind: what those before let go of would be used again.
  const workers: number[] = [];
  const log = createLog({
    print: (line) => workers.push(...(/"worker_pid":(\d+)/.exec(line)?.slice(1).map(Number) ?? [])),
    nowMs: () => 0,
  });
  const pool = new WorkerPool({ routes: () => [route], clock: systemClock, log });
  await pool.open("127.0.0.1", 0);
  const memoryMiB = async () => (await Promise.all(workers.map(memoryOf))).reduce((sum, { ownMiB }) => sum + ownMiB, 0);
  const before = await memoryMiB();
  const client = startPart("holder.ts", [String(pool.port), host, String(count), kind]);
  const [{ held, failed }] = (await once(client, "message")) as [{ readonly held: number; readonly failed: number }];
  await delay(5_000);
  const after = await memoryMiB();
  client.send("check");
  const [{ alive }] = (await once(client, "message")) as [{ readonly alive: number }];
  report(`${kind} connections held`, held, `of ${count}`, { goal: "all", ok: failed === 0 });
  report("  that answer after five seconds", alive, `of ${count}`, { goal: "all", ok: alive === count });
  report("  memory of all workers for each", ((after - before) * 1_024) / held, "KiB");
  client.disconnect();
  await once(client, "exit");
  await pool.close(0);
}
app.disconnect();
process.exit();
