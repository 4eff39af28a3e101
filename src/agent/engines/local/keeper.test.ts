import assert from "node:assert/strict";
import { rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { processesWith } from "#host/testing/processes.ts";
import { workload } from "../testing/workload.ts";
import { spillNames } from "./spill.ts";
import { localWorld } from "./testing/local-world.ts";

test("while no agent is there an app that prints more than its pipe holds goes on, what is over the bound is counted, and the next agent gets both", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  const command = "until [ -e $TMPDIR/go ]; do sleep 0.01; done; head -c 6000000 /dev/zero; touch $TMPDIR/done; exec sleep 1000";
  await first.apply(workload(command), t.signal);
  const [instance] = await world.until(first, ([one]) => one?.ready === true);
  const folder = join(world.folder, "instances", instance?.id ?? "");
  await first.close();
  await writeFile(join(folder, "tmp", "go"), "");
  const isThere = (file: string) =>
    stat(file).then(
      () => true,
      () => false,
    );
  while (!(await isThere(join(folder, "tmp", "done"))) || !(await isThere(spillNames(folder).output))) await new Promise(setImmediate);
  const second = await world.open();
  const [again] = await world.until(second, ([one]) => one?.ready === true);
  assert.equal(again?.pid, instance?.pid);
  const dropped = Number(/<spill \S+ (\d+)>/.exec(world.output.text(instance?.id ?? ("" as never)))?.[1]);
  // What was still in the pipe when the keeper was ended is read by the agent itself.
  const read = world.output.text(instance?.id ?? ("" as never)).replaceAll(/[^\0]/g, "").length;
  assert.ok(
    dropped > 0 && dropped + read <= 6_000_000 - 4 * 2 ** 20 && dropped >= 6_000_000 - 4 * 2 ** 20 - 2 * 65_536,
    `${dropped} dropped, ${read} read`,
  );
  assert.equal(await isThere(spillNames(folder).output), false);
});

/** An engine that was closed while an instance ran: as after the death of an agent, the instance goes on, and its output is kept. */
async function left(t: TestContext) {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload("until [ -e $TMPDIR/go ]; do sleep 0.01; done"), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.ready === true);
  await engine.close();
  const instances = join(world.folder, "instances");
  const keepers = () => processesWith("cmdline", `keeper.ts\0${instances}\0`);
  const until = async (isDone: (count: number) => boolean) => {
    while (!isDone((await keepers()).length)) await new Promise(setImmediate);
  };
  await until((count) => count === 1);
  const gone = async () => {
    await until((count) => count === 0);
    // The next agent ends what is left.
    await world.open();
  };
  return { instances, folder: join(instances, instance?.id ?? ""), gone };
}

test("what keeps the output of a dead agent's instances ends once they all have ended", async (t) => {
  const { folder, gone } = await left(t);
  await writeFile(join(folder, "tmp", "go"), "");
  await gone();
});

test("what keeps the output of a dead agent's instances ends once Drover's folder is gone", async (t) => {
  const { instances, gone } = await left(t);
  await rename(instances, `${instances}-gone`);
  await gone();
});
