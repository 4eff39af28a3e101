import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { InstanceId, WorkloadId } from "#model/names.ts";
import { type DesiredWorkload, drainMarginMs, type ObservedInstance, planInstances } from "./plan-instances.ts";

const service: DesiredWorkload = {
  id: "team/app/web/1" as WorkloadId,
  kind: "service",
  count: 1,
  routed: true,
  restartToken: "a",
  reloads: false,
  stop: { signal: "SIGTERM", drainMs: 10_000, graceMs: 20_000 },
  timeoutMs: null,
  blocked: false,
  removed: false,
  onlyOne: false,
  leaseEndsAtMs: null,
};

const ready: ObservedInstance = {
  id: "team/app/web.1.bbbbb" as InstanceId,
  state: "running",
  ready: true,
  wasReady: true,
  enteredAtMs: 0,
  restartToken: "a",
  afterwards: "restart",
  drained: false,
  killedAtMs: null,
  retryAtMs: 0,
  dead: false,
  restartAsked: false,
};
const named = (letter: string, over: Partial<ObservedInstance> = {}): ObservedInstance => ({
  ...ready,
  id: `team/app/web.1.${letter}` as InstanceId,
  ...over,
});

test("missing instances are made, all at once", () => {
  const { actions } = planInstances({ ...service, count: 3 }, [ready], 0);
  assert.deepEqual(actions, [
    { kind: "create", reason: "missing" },
    { kind: "create", reason: "missing" },
  ]);
});

test("what runs as ordered is left alone, with nothing to wait for", () => {
  assert.deepEqual(planInstances(service, [ready], 5), { actions: [], replanAtMs: null });
});

test("an exited instance waits out its delay before it is started again", () => {
  const backoff = { ...ready, state: "backoff", ready: false, retryAtMs: 500 } as const;
  assert.deepEqual(planInstances(service, [backoff], 499), { actions: [], replanAtMs: 500 });
  assert.deepEqual(planInstances(service, [backoff], 500).actions, [{ kind: "start", id: backoff.id, reason: "due" }]);
});

test("the instance whose end costs least goes first: one in backoff, then one that is not ready, then the youngest", () => {
  const instances = [named("old"), named("new"), named("idle", { ready: false }), named("failed", { state: "backoff", retryAtMs: 9_000 })];
  const gone = (count: number) =>
    planInstances({ ...service, count }, instances, 0).actions.map((action) => ("id" in action ? action.id.slice(15) : action.kind));
  assert.deepEqual(gone(3), ["failed"]);
  assert.deepEqual(gone(2), ["idle", "failed"]);
  assert.deepEqual(gone(1), ["new", "idle", "failed"]);
});

test("an instance that takes traffic drains first; one that never was ready, or is not routed, is signalled at once", () => {
  const kinds = (workload: DesiredWorkload, instance: ObservedInstance) =>
    planInstances(workload, [instance], 0).actions.map(({ kind }) => kind);
  const none = { ...service, count: 0 };
  assert.deepEqual(kinds(none, ready), ["drain"]);
  assert.deepEqual(kinds(none, { ...ready, ready: false, wasReady: false }), ["signal"]);
  assert.deepEqual(kinds({ ...none, routed: false }, ready), ["signal"]);
});

test("a draining instance is signalled when the edges let go, and with the server away when its time and a margin are over", () => {
  const draining = { ...ready, state: "draining", afterwards: "stop", enteredAtMs: 100 } as const;
  const overAtMs = 100 + service.stop.drainMs + drainMarginMs;
  const none = { ...service, count: 0 };
  assert.deepEqual(planInstances(none, [draining], 200), { actions: [], replanAtMs: overAtMs });
  assert.equal(planInstances(none, [{ ...draining, drained: true }], 200).actions[0]?.reason, "drained");
  assert.equal(planInstances(none, [draining], overAtMs).actions[0]?.reason, "drain over");
});

test("what ignores its signal is killed after its grace, and again until it is gone", () => {
  const stopping = { ...ready, state: "stopping", afterwards: "stop", enteredAtMs: 0 } as const;
  const none = { ...service, count: 0 };
  assert.deepEqual(planInstances(none, [stopping], 19_999), { actions: [], replanAtMs: 20_000 });
  assert.deepEqual(planInstances(none, [stopping], 20_000).actions, [{ kind: "kill", id: ready.id, reason: "grace over" }]);
  assert.deepEqual(planInstances(none, [{ ...stopping, killedAtMs: 20_000 }], 20_500), { actions: [], replanAtMs: 21_000 });
  assert.equal(planInstances(none, [{ ...stopping, killedAtMs: 20_000 }], 21_000).actions[0]?.reason, "still there");
});

test("a task is not run a second time, whatever became of it, until its removal lets go of it", () => {
  const task: DesiredWorkload = { ...service, kind: "task", routed: false };
  const exited = { ...ready, state: "exited", ready: false } as const;
  assert.deepEqual(planInstances(task, [exited], 0), { actions: [], replanAtMs: null });
  assert.deepEqual(planInstances({ ...task, removed: true }, [exited], 0).actions, [{ kind: "forget", id: ready.id, reason: "unwanted" }]);
  assert.deepEqual(planInstances({ ...task, removed: true }, [], 0).actions, [{ kind: "forget-workload", reason: "unwanted" }]);
});

test("a task that runs over its time is stopped for good", () => {
  const task: DesiredWorkload = { ...service, kind: "task", routed: false, timeoutMs: 1_000 };
  assert.equal(planInstances(task, [ready], 999).replanAtMs, 1_000);
  assert.deepEqual(planInstances(task, [ready], 1_000).actions, [
    { kind: "signal", id: ready.id, afterwards: "stop", reason: "timed out" },
  ]);
});

test("a new restart token takes one ready instance at a time, and only while all others are ready", () => {
  const workload = { ...service, count: 3, restartToken: "b" };
  const first = planInstances(workload, [named("x"), named("y"), named("z")], 0).actions;
  assert.deepEqual(first, [{ kind: "drain", id: named("x").id, afterwards: "restart", reason: "configuration changed" }]);
  const during = [named("x", { state: "running", ready: false, restartToken: "b" }), named("y"), named("z")];
  assert.deepEqual(planInstances(workload, during, 0).actions, []);
});

test("what can go on as another program is told to, unless something else differs too, or it is not well", () => {
  const workload = { ...service, reloads: true, restartToken: "same.2" };
  const outdated = { ...ready, restartToken: "same.1" };
  assert.deepEqual(planInstances(workload, [outdated], 0).actions, [{ kind: "reload", id: ready.id, reason: "configuration changed" }]);
  assert.deepEqual(planInstances(workload, [{ ...ready, restartToken: "same.2", restartAsked: true }], 0).actions, [
    { kind: "reload", id: ready.id, reason: "restart asked" },
  ]);
  for (const [over, other] of [
    [{ reloads: false }, outdated],
    [{}, { ...outdated, restartToken: "other.1" }],
    [{}, { ...outdated, restartToken: "before there were points" }],
    [{}, { ...outdated, ready: false }],
  ] as const)
    assert.deepEqual(
      planInstances({ ...workload, ...over }, [other], 0).actions.map(({ kind }) => kind),
      ["drain"],
    );
});

test("an instance that is not alive gets no time to drain", () => {
  assert.deepEqual(planInstances(service, [{ ...ready, dead: true }], 0).actions, [
    { kind: "signal", id: ready.id, afterwards: "restart", reason: "not alive" },
  ]);
});

test("without its artifact a workload starts nothing, and still stops what is too much", () => {
  const blocked = { ...service, count: 2, blocked: true };
  assert.deepEqual(planInstances(blocked, [{ ...ready, state: "backoff" }], 0).actions, []);
  assert.deepEqual(planInstances({ ...blocked, count: 0 }, [ready], 0).actions.length, 1);
});

const observed = fc.record({
  state: fc.constantFrom("starting", "running", "draining", "stopping", "backoff", "exited"),
  ready: fc.boolean(),
  wasReady: fc.boolean(),
  enteredAtMs: fc.nat(100),
  restartToken: fc.constantFrom("a", "b"),
  afterwards: fc.constantFrom("restart", "stop"),
  drained: fc.boolean(),
  killedAtMs: fc.option(fc.nat(100)),
  retryAtMs: fc.nat(200),
  dead: fc.boolean(),
  restartAsked: fc.boolean(),
}) as fc.Arbitrary<Omit<ObservedInstance, "id">>;

test("in any world at most one action befalls an instance, and what stays plus what is made is the count", () => {
  fc.assert(
    fc.property(fc.array(observed, { maxLength: 6 }), fc.nat(6), fc.boolean(), (parts, count, removed) => {
      const instances = parts.map((part, i) => ({ ...part, id: `team/app/web.1.${i}` as InstanceId }));
      const { actions } = planInstances({ ...service, count, removed }, instances, 100);
      const touched = actions.flatMap((action) => ("id" in action ? [action.id] : []));
      assert.equal(new Set(touched).size, touched.length);
      const leaving = ({ state, afterwards }: ObservedInstance) =>
        state === "exited" || (["draining", "stopping"].includes(state) && afterwards === "stop");
      const staying = instances.filter((instance) => !leaving(instance)).length;
      const made = actions.filter(({ kind }) => kind === "create").length;
      assert.equal(made, Math.max(0, (removed ? 0 : count) - staying));
    }),
  );
});

test("what must never run twice is stopped at the end of its lease without a drain, and killed two seconds later whatever its own grace is", () => {
  const leased = { ...service, onlyOne: true, leaseEndsAtMs: 5_000 };
  assert.deepEqual(planInstances(leased, [ready], 4_999), { actions: [], replanAtMs: 5_000 });
  assert.deepEqual(planInstances(leased, [ready], 5_000).actions, [
    { kind: "signal", id: ready.id, afterwards: "stop", reason: "lease over" },
  ]);
  const draining = { ...ready, state: "draining", ready: false } as const;
  assert.equal(planInstances(leased, [draining], 5_000).actions[0]?.kind, "signal");
  const stopping = { ...ready, state: "stopping", ready: false, afterwards: "stop", enteredAtMs: 5_000 } as const;
  assert.deepEqual(planInstances(leased, [stopping], 6_999), { actions: [], replanAtMs: 7_000 });
  assert.deepEqual(planInstances(leased, [stopping], 7_000).actions, [{ kind: "kill", id: ready.id, reason: "grace over" }]);
});

test("without a lease nothing of what must never run twice is started, and with one only when nothing of it is left", () => {
  const leased = { ...service, onlyOne: true, leaseEndsAtMs: 5_000 };
  assert.deepEqual(planInstances(leased, [], 5_000).actions, []);
  assert.deepEqual(planInstances(leased, [], 4_000).actions, [{ kind: "create", reason: "missing" }]);
  const backoff = { ...ready, state: "backoff", ready: false, retryAtMs: 4_000 } as const;
  assert.deepEqual(planInstances(leased, [backoff], 5_000).actions, [{ kind: "forget", id: ready.id, reason: "lease over" }]);
  const leaving = { ...ready, state: "stopping", ready: false, afterwards: "stop", enteredAtMs: 4_000 } as const;
  assert.deepEqual(planInstances({ ...leased, leaseEndsAtMs: null }, [leaving], 4_000).actions, []);
});
