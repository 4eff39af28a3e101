import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { workload } from "../../testing/workload.ts";
import { findStrays } from "../process-group.ts";
import { localWorld } from "./local-world.ts";

// Run by a test as a user without privileges: no users of their own for apps, no control groups, processes found by session and environment.
test("without root and control groups an instance runs, is adopted, and ends with all that it started", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  assert.deepEqual(
    // That nobody gains rights comes from whoever started this test, or does not.
    Object.entries((await first.machine(t.signal)).isolation).filter(([name, { holds }]) => holds && name !== "privileges"),
    [],
  );
  const order = workload("sleep 1000 & setsid sleep 1000 & exec sleep 1000");
  await first.apply(order, t.signal);
  const [before] = await world.until(first, ([one]) => one?.ready === true);
  while ((await findStrays(join(world.folder, "instances"))).size < 3) await new Promise(setImmediate);
  await first.close();
  const second = await world.open();
  const [after] = await world.until(second, ([one]) => one?.ready === true);
  assert.equal(after?.pid, before?.pid);
  await second.remove(order.id, order.revision + 1, t.signal);
  await world.until(second, (instances) => instances.length === 0);
  assert.deepEqual([...(await findStrays(join(world.folder, "instances"))).keys()], []);
});
