import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { nodeProcessesOf, processesOf, root, TestDrover } from "../harness/drover.ts";
import { startLoad } from "../harness/load.ts";

const fixture = join(root, "test/fixtures/web.mjs");
const host = "web.default.localhost";

async function withApp(instances: number): Promise<TestDrover> {
  const drover = await TestDrover.start();
  await drover.apply(`app: web\nrun: exec node ${fixture}\ninstances: ${instances}\nready: { http: / }\n`);
  return drover;
}

async function status(drover: TestDrover) {
  return JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/web")).body) as {
    health: string;
    instances: { id: string; pid: number; ready: boolean; state: string; restarts: number }[];
  };
}

const whenReady = (drover: TestDrover, count: number) =>
  drover.until(`${count} instances are ready`, async () => (await status(drover)).instances.filter(({ ready }) => ready).length === count);

test("the server killed under load loses no request, and an instance that crashed meanwhile is back", async () => {
  await using drover = await withApp(3);
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 200 });
  const before = await status(drover);
  await drover.kill("server");
  const killed = before.instances[0]?.pid ?? 0;
  process.kill(killed, "SIGKILL");
  await drover.until("the instance is gone", async () => !(await nodeProcessesOf(drover.home, fixture)).includes(killed));
  const goneAtMs = performance.now();
  await drover.until("the server answers again", async () => (await status(drover)).health === "ready");
  const { failures, failedFromMs } = await load.stop();
  // Only requests that were in flight on the killed instance may fail.
  assert.deepEqual(
    failures.filter((_, i) => (failedFromMs[i] ?? 0) > goneAtMs),
    [],
  );
  const after = await status(drover);
  assert.deepEqual(
    after.instances.map(({ id }) => id).sort(),
    before.instances.map(({ id }) => id).sort(),
    "the same instances, none doubled, none lost",
  );
});

test("the agent killed under load loses no request; every instance is adopted and none doubled", async () => {
  await using drover = await withApp(5);
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 200 });
  const before = await status(drover);
  await drover.kill("agent");
  await drover.up();
  await whenReady(drover, 5);
  const after = await status(drover);
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.deepEqual(
    after.instances.map(({ id, pid }) => `${id} ${pid}`).sort(),
    before.instances.map(({ id, pid }) => `${id} ${pid}`).sort(),
  );
  assert.equal(
    (await processesOf(drover.home, fixture)).filter((pid) => after.instances.some((instance) => instance.pid === pid)).length,
    5,
  );
});

test("the edge killed under load serves again, from its last table", async () => {
  await using drover = await withApp(2);
  await drover.kill("server");
  await drover.kill("edge");
  await drover.until("the edge serves again", async () => (await drover.get(host)).status === 200);
});

test("all of Drover killed at once leaves the apps running, and the next start adopts them", async () => {
  await using drover = await withApp(2);
  const before = await status(drover);
  for (const program of ["server", "edge", "agent"] as const) await drover.kill(program);
  for (const { pid } of before.instances) assert.doesNotThrow(() => process.kill(pid, 0), "the app runs on");
  await drover.up();
  await whenReady(drover, 2);
  assert.deepEqual((await status(drover)).instances.map(({ pid }) => pid).sort(), before.instances.map(({ pid }) => pid).sort());
});

test("drover down stops everything, keeps the state, and the next start brings everything back", async () => {
  await using drover = await withApp(2);
  const finished = await drover.cli(["down"]);
  assert.equal(finished.code, 0, finished.stderr);
  assert.deepEqual(await processesOf(drover.home), []);
  await drover.up();
  await whenReady(drover, 2);
  assert.equal((await drover.get(host)).status, 200);
});
