import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { WorkloadId } from "#model/names.ts";
import type { EngineChange, Instance, Workload } from "#model/workload.ts";
import type { Engine } from "../engine.ts";

/** An engine under test, and what the suite cannot do in the same way for all engines. */
export interface EngineWorld {
  readonly engine: Engine;
  /** A workload that becomes ready and runs on until it is told to stop. */
  readonly service: Workload;
  /** A task that ends by itself with exit code 0. */
  readonly task: Workload;
  /** Lets `ms` of the engine's time pass: waits, or moves a virtual clock. */
  pass(ms: number): Promise<void>;
}

/** How much of the engine's time any of these states may take to come about. */
const patienceMs = 20_000;
const stepMs = 5;

/** What every engine owes to those who drive it. @param make opens a fresh engine and closes it after the test. */
export function engineContract(name: string, make: (context: TestContext) => Promise<EngineWorld>): void {
  test(`${name}: a watch begins with everything, and a workload that is applied becomes ready`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    await world.engine.apply({ ...world.service, count: 2 }, t.signal);
    await settle(world, () => view.instances().length === 2 && view.instances().every(isServing), "two ready instances");
    assert.equal(view.first(), "snapshot");
    assert.equal(new Set(view.instances().map(({ id }) => id)).size, 2);
    const late = watchInto(world, t);
    await settle(world, () => late.instances().length === 2, "a late watch that sees both");
  });

  test(`${name}: applying the same order again changes nothing`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    await world.engine.apply(world.service, t.signal);
    await settle(world, () => view.instances().some(isServing), "a ready instance");
    const before = view.instances();
    await world.engine.apply(world.service, t.signal);
    await world.pass(200);
    assert.deepEqual(view.instances(), before);
  });

  test(`${name}: a count that falls takes instances away, one that rises keeps those that are there`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    const order = (count: number, step: number) => ({ ...world.service, routed: false, count, revision: world.service.revision + step });
    await world.engine.apply(order(3, 0), t.signal);
    await settle(world, () => view.instances().filter(isServing).length === 3, "three ready instances");
    await world.engine.apply(order(1, 1), t.signal);
    await settle(world, () => view.instances().length === 1, "one instance");
    const [kept] = view.instances();
    await world.engine.apply(order(2, 2), t.signal);
    await settle(world, () => view.instances().filter(isServing).length === 2, "two ready instances");
    assert.ok(view.instances().some(({ id }) => id === kept?.id));
  });

  test(`${name}: what it tells of use is of the instances that run, and of no others`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    assert.deepEqual((await world.engine.usage(t.signal)).instances, []);
    await world.engine.apply({ ...world.service, routed: false, count: 2 }, t.signal);
    await settle(world, () => view.instances().filter(isServing).length === 2, "two ready instances");
    const { instances } = await world.engine.usage(t.signal);
    assert.deepEqual(
      instances.map(({ id }) => id).sort(),
      view
        .instances()
        .map(({ id }) => id)
        .sort(),
    );
    assert.ok(instances.every(({ processes, cpuSeconds, memoryBytes }) => processes > 0 && cpuSeconds >= 0 && memoryBytes >= 0));
    await world.engine.remove(world.service.id, world.service.revision + 1, t.signal);
    await settle(world, () => view.instances().length === 0, "nothing left");
    assert.deepEqual((await world.engine.usage(t.signal)).instances, []);
  });

  test(`${name}: orders older than the one obeyed are refused`, async (t) => {
    const world = await make(t);
    await world.engine.apply({ ...world.service, revision: 90 }, t.signal);
    await assert.rejects(world.engine.apply({ ...world.service, revision: 89 }, t.signal), { code: "ORDER_OUTDATED" });
    await assert.rejects(world.engine.remove(world.service.id, 89, t.signal), { code: "ORDER_OUTDATED" });
  });

  test(`${name}: a removed workload goes with all its instances, and removing what is unknown is fine`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    await world.engine.apply({ ...world.service, routed: false }, t.signal);
    await settle(world, () => view.instances().some(isServing), "a ready instance");
    await world.engine.remove(world.service.id, world.service.revision + 1, t.signal);
    await settle(world, () => view.instances().length === 0 && view.workloads().length === 0, "nothing left");
    await world.engine.remove("no/such/workload/1" as WorkloadId, 1, t.signal);
  });

  test(`${name}: a routed instance drains until the edges have let go, and only then stops`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    await world.engine.apply({ ...world.service, routed: true }, t.signal);
    await settle(world, () => view.instances().some(isServing), "a ready instance");
    await world.engine.apply({ ...world.service, routed: true, count: 0, revision: world.service.revision + 1 }, t.signal);
    await settle(world, () => view.instances().some(({ state }) => state === "draining"), "a draining instance");
    await world.pass(100);
    const [draining] = view.instances();
    assert.equal(draining?.state, "draining");
    if (draining !== undefined) world.engine.drained(draining.id);
    await settle(world, () => view.instances().length === 0, "no instance");
  });

  test(`${name}: a restart keeps the instance's id and port`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    await world.engine.apply({ ...world.service, routed: false }, t.signal);
    await settle(world, () => view.instances().some(isServing), "a ready instance");
    const [before] = view.instances();
    assert.ok(before);
    await world.engine.restart(before.id, t.signal);
    await settle(world, () => view.instances().some((one) => isServing(one) && one.restarts > before.restarts), "a restarted instance");
    const [after] = view.instances();
    assert.deepEqual([after?.id, after?.port], [before.id, before.port]);
    await assert.rejects(world.engine.restart("no/such/one.1.bbbbb" as never, t.signal), { code: "INSTANCE_NOT_FOUND" });
  });

  test(`${name}: a task runs to its end once and is kept until it is removed`, async (t) => {
    const world = await make(t);
    const view = watchInto(world, t);
    await world.engine.apply(world.task, t.signal);
    await settle(world, () => view.instances().some(({ state }) => state === "exited"), "an exited task");
    await world.pass(200);
    const [task] = view.instances();
    assert.deepEqual([view.instances().length, task?.state, task?.exit?.code, task?.restarts], [1, "exited", 0, 0]);
    await world.engine.remove(world.task.id, world.task.revision + 1, t.signal);
    await settle(world, () => view.instances().length === 0, "no task");
  });
}

function isServing({ state, ready }: Instance): boolean {
  return state === "running" && ready;
}

function watchInto({ engine }: EngineWorld, context: TestContext) {
  const instances = new Map<string, Instance>();
  const workloads = new Set<string>();
  let first: EngineChange["kind"] | null = null;
  const stop = new AbortController();
  context.after(() => stop.abort());
  void (async () => {
    for await (const change of engine.watch(stop.signal)) {
      first ??= change.kind;
      if (change.kind === "snapshot") {
        instances.clear();
        workloads.clear();
        for (const instance of change.instances) instances.set(instance.id, instance);
        for (const { id } of change.workloads) workloads.add(id);
      } else if (change.kind === "instance") instances.set(change.instance.id, change.instance);
      else if (change.kind === "instance-gone") instances.delete(change.id);
      else if (change.kind === "workload") workloads.add(change.workload.id);
      else workloads.delete(change.id);
    }
  })();
  return { instances: () => [...instances.values()], workloads: () => [...workloads], first: () => first };
}

async function settle({ pass }: EngineWorld, isSo: () => boolean, what: string): Promise<void> {
  for (let passedMs = 0; !isSo(); passedMs += stepMs) {
    if (passedMs > patienceMs) assert.fail(`${what} did not come about`);
    await pass(stepMs);
  }
}
