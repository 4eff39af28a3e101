import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId } from "#model/names.ts";
import { app, input, m1, release, room, t0, web, words, workload } from "../testing/planner-world.ts";
import type { ObservedWorkload, RolloutInput } from "./input.ts";
import { planRollout } from "./plan-rollout.ts";

const [m2, m3] = ["m2", "m3"] as [MachineId, MachineId];
const single = { process: { onlyOne: true } } as const;

/** Release 2 is active and wanted, one instance of it, which must never run twice. */
function world(observed: readonly ObservedWorkload[], more: Parameters<typeof input>[0] = {}): RolloutInput {
  return input({
    app: app({ instances: { [web]: 1 }, target: 2, active: 2 }),
    releases: [release(1, "superseded", single), release(2, "active", single)],
    rollout: null,
    machines: [room(m1), room(m2), room(m3)],
    observed,
    ...more,
  });
}
const on = (machine: MachineId, states: Parameters<typeof workload>[1], more: Partial<ObservedWorkload> = {}, number = 2) =>
  workload(number, states, { machine, ...more });
const holderOf = (plan: ReturnType<typeof planRollout>) => plan.holders?.get(web) ?? null;
const held = new Map([[web, { machine: m2, untilMs: t0 + 9_000 }]]);

test("one that is nowhere is placed, and its machine may run it", () => {
  const plan = planRollout(world([]));
  assert.deepEqual(words(plan), ["web.2 → 1"]);
  assert.equal(holderOf(plan), m1);
});

test("while a machine that cannot be asked may run it nothing is started, and the plan says until when and why", () => {
  const plan = planRollout(world([], { held }));
  assert.deepEqual(words(plan), []);
  assert.equal(holderOf(plan), null);
  assert.equal(plan.replanAtMs, t0 + 9_000);
  assert.ok(plan.waitingFor.includes("m2, which does not answer and may run web until its lease ends"));
});

test("a machine whose agent knows no leases is waited for until it answers, and not by the clock", () => {
  const plan = planRollout(world([], { held: new Map([[web, { machine: m2, untilMs: Number.POSITIVE_INFINITY }]]) }));
  assert.deepEqual([words(plan), plan.replanAtMs], [[], null]);
});

test("one on a machine that does not answer, and is not lost yet, is nowhere else", () => {
  const plan = planRollout(world([on(m2, { ready: 1 }, { isReachable: false })]));
  assert.deepEqual(words(plan), []);
  assert.equal(holderOf(plan), m2);
});

test("a new release waits until nothing of the old one is left, on whichever machine", () => {
  const rolling = { app: app({ instances: { [web]: 1 } }), releases: [release(1, "active", single), release(2, "pending", single)] };
  const plan = (observed: readonly ObservedWorkload[]) => planRollout({ ...world(observed, rolling), rollout: input().rollout });
  assert.deepEqual(words(plan([on(m1, { ready: 1 }, {}, 1)])), ["remove web.1"]);
  assert.deepEqual(words(plan([on(m1, { draining: 1 }, { isRemoving: true, count: 0 }, 1)])), []);
  assert.deepEqual(words(plan([])), ["web.2 → 1"]);
});

test("a machine that drains stops it before another one starts it", () => {
  const machines = [room(m1, { isDraining: true, isCordoned: true }), room(m2)];
  assert.deepEqual(words(planRollout(world([on(m1, { ready: 1 })], { machines }))), ["remove web.2"]);
  assert.deepEqual(words(planRollout(world([on(m1, { stopping: 1 }, { isRemoving: true, count: 0 })], { machines }))), []);
  assert.equal(holderOf(planRollout(world([], { machines }))), m2);
});

test("a machine that comes back to find its work done by another is told to stop, and may not run it", () => {
  const plan = planRollout(world([on(m2, {}, { count: 1, revision: 3 }), on(m3, { starting: 1 }, { revision: 7 })]));
  assert.deepEqual(words(plan), ["remove web.2"]);
  assert.equal(holderOf(plan), m3);
});

test("an order of before without an instance is no right to run it while another machine may", () => {
  const plan = planRollout(world([on(m3, {}, { count: 1 })], { held }));
  assert.equal(holderOf(plan), null);
  const runs = planRollout(world([on(m3, { ready: 1 })], { held }));
  assert.equal(holderOf(runs), m3, "what runs has the word");
});

test("other processes of the app do not wait for it", () => {
  const both = [release(2, "active", { processes: ["web", "worker"] })].map((one) => ({
    ...one,
    spec: { ...one.spec, processes: { ...one.spec.processes, [web]: { ...one.spec.processes[web], onlyOne: true } } },
  })) as ReturnType<typeof release>[];
  assert.deepEqual(words(planRollout(world([], { held, releases: both }))), ["worker.2 → 1"]);
});
