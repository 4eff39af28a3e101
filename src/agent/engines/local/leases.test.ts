import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#host/clock.ts";
import type { WorkloadId } from "#model/names.ts";
import { workload as service } from "../testing/workload.ts";
import { isAlive, readProcess } from "./proc.ts";
import { localWorld } from "./testing/local-world.ts";

const inMs = (ms: number) => systemClock.monotonicMs() + ms;
/** Far longer than a test takes. */
const longMs = 600_000;

test("what must never run twice starts once it has a lease, and ends with it, whatever its own stop rules are", async (t) => {
  const world = await localWorld(t, { isLeased: true });
  const engine = await world.open();
  const order = service("trap '' TERM; while :; do sleep 1; done", { onlyOne: true });
  await engine.apply(order, t.signal);
  for await (const change of engine.watch(t.signal)) {
    const told = change.kind === "snapshot" ? change.workloads : change.kind === "workload" ? [change.workload] : [];
    if (told.some(({ reason }) => reason?.code === "LEASE_OVER")) break;
  }
  await engine.renew([order.id], inMs(longMs));
  await world.until(engine, (instances) => instances.some(({ state }) => state === "running"));

  const other = { ...order, id: "team/app/web/2" as WorkloadId, stop: { ...order.stop, drainMs: longMs, graceMs: longMs } };
  await engine.apply(other, t.signal);
  await engine.renew([other.id], inMs(1_500));
  await world.until(engine, (instances) => instances.some(({ workload, state }) => workload === other.id && state === "running"));
  await world.until(engine, (instances) => !instances.some(({ workload }) => workload === other.id));
  await world.until(engine, (instances) => instances.some(({ workload, state }) => workload === order.id && state === "running"));
});

test("an agent that starts again goes by the leases that it had, and the keeper ends what outlives its lease while there is none", async (t) => {
  const world = await localWorld(t, { isLeased: true });
  const first = await world.open();
  const order = service("exec sleep 1000", { onlyOne: true });
  await first.apply(order, t.signal);
  await first.renew([order.id], inMs(longMs));
  const [before] = await world.until(first, (instances) => instances.some(({ state }) => state === "running"));
  await first.close();

  const second = await world.open();
  const [after] = await world.until(second, (instances) => instances.some(({ state }) => state === "running"));
  assert.equal(after?.pid, before?.pid, "it went on under its lease");
  const short = { ...order, id: "team/app/web/2" as WorkloadId };
  await second.apply(short, t.signal);
  await second.renew([short.id], inMs(1_500));
  const found = await world.until(second, (instances) =>
    instances.some(({ workload, state }) => workload === short.id && state === "running"),
  );
  const main = await readProcess(found.find(({ workload }) => workload === short.id)?.pid ?? 0);
  assert.ok(main !== null, "it runs");
  await second.close();

  while (await isAlive(main)) await systemClock.sleep(20, t.signal);
  const third = await world.open();
  const [left] = await world.until(third, (instances) => instances.length === 1 && instances[0]?.state === "running");
  assert.equal(left?.pid, before?.pid);
});
