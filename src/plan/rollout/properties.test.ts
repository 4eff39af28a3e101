import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DeployManifest } from "#model/manifest.ts";
import type { MachineId } from "#model/names.ts";
import type { InstanceState } from "#model/workload.ts";
import { anywhere } from "../placement/plan-placement.ts";
import { app, carryOut, input, m1, plainDeploy, release, rolloutOf, room, settle, t0, web, workload } from "../testing/planner-world.ts";
import { countReleases, isLeaving, isReady, sum } from "./counts.ts";
import type { RolloutInput } from "./input.ts";
import { planRollout } from "./plan-rollout.ts";

const states: readonly (InstanceState | "ready")[] = ["starting", "running", "draining", "stopping", "backoff", "ready"];

/** Any world with up to four releases of which the newest is the target, in any state that an agent could report. */
const worlds: fc.Arbitrary<RolloutInput> = fc
  .record({
    wanted: fc.integer({ min: 0, max: 6 }),
    active: fc.constantFrom(null, 1, 2, 3, 4),
    strategy: fc.constantFrom("rolling" as const, "blue-green" as const, "canary" as const),
    surge: fc.constantFrom<DeployManifest["surge"]>({ share: 0.25 }, { share: 0.5 }, { share: 1 }, { instances: 1 }, { instances: 3 }),
    hasBefore: fc.boolean(),
    counts: fc.array(
      fc.record(Object.fromEntries(states.map((state) => [state, fc.integer({ min: 0, max: 3 })])) as Record<string, fc.Arbitrary<number>>),
      {
        minLength: 4,
        maxLength: 4,
      },
    ),
    present: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    step: fc.integer({ min: 0, max: 2 }),
    isStopped: fc.boolean(),
    isBegun: fc.boolean(),
  })
  .map(({ wanted, active, strategy, surge, hasBefore, counts, present, step, isStopped, isBegun }) =>
    input({
      app: app({
        instances: { [web]: wanted },
        deploy: { ...plainDeploy, strategy, surge, hold: 0 },
        target: 4,
        lastRelease: 4,
        active,
        stopped: isStopped,
      }),
      releases: [1, 2, 3, 4].map((number) =>
        release(number, number === active ? "active" : number === 4 ? "pending" : "superseded", { before: hasBefore && number === 4 }),
      ),
      rollout: isBegun ? rolloutOf(4, { step, before: hasBefore ? "waiting" : "none" }) : null,
      observed: counts.flatMap((count, i) => (present[i] ? [workload(i + 1, count)] : [])),
    }),
  );

function existing(world: RolloutInput): number {
  return sum(countReleases(world.observed ?? [], web, 4), "existing");
}

function ready(world: RolloutInput): number {
  return (world.observed ?? []).flatMap((one) => one.instances).filter((one) => isReady(one) && !isLeaving(one)).length;
}

function limit({ app: { deploy, instances } }: RolloutInput): number {
  const wanted = instances[web] ?? 1;
  const surge = deploy.strategy === "rolling" ? surgeOf(deploy.surge, wanted) : wanted;
  // Going back or forward to an active release is rolling, whatever the strategy was.
  return wanted + Math.max(surge, surgeOf(deploy.surge, wanted));
}

/** Written anew, so that the planner is not checked by itself. */
function surgeOf(surge: DeployManifest["surge"], wanted: number): number {
  return "instances" in surge ? surge.instances : Math.max(1, Math.ceil(wanted * surge.share));
}

test("the same input gives the same plan", () => {
  fc.assert(fc.property(worlds, (world) => assert.deepEqual(planRollout(world), planRollout(structuredClone(world)))));
});

test("carrying a plan out never makes more exist than wanted and surge, unless there were more before", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const after = existing(carryOut(world, planRollout(world)));
      assert.ok(after <= Math.max(existing(world), limit(world)), `${after} exist`);
    }),
    { numRuns: 2_000 },
  );
});

test("carrying a plan out never leaves fewer ready than wanted, or than there were", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      if (world.app.stopped) return;
      const least = Math.min(world.app.instances[web] ?? 1, ready(world));
      const after = ready(carryOut(world, planRollout(world)));
      assert.ok(after >= least, `${after} of ${least} ready`);
    }),
    { numRuns: 2_000 },
  );
});

test("carrying a plan out and planning again changes nothing more", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      let next = world;
      for (let steps = 0; steps < 12; steps++) {
        const plan = planRollout(next);
        next = carryOut(next, plan);
        if (plan.step === null) break;
      }
      // What is on its way changes nothing by itself; a ready old instance that now drains does.
      const again = planRollout(next);
      assert.equal(again.step, null);
      assert.deepEqual(again.orders, []);
    }),
    { numRuns: 2_000 },
  );
});

test("what runs where it may not, since its place or the machines changed, moves to where it may, and is never fewer on its way", () => {
  const count = fc.integer({ min: 0, max: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(count, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 5 }), (spec) => {
      const ids = spec.map((_, i) => `m${i + 1}` as MachineId);
      const machines = spec.map(([, isSsd, isDraining], i) =>
        room(ids[i] ?? m1, { labels: isSsd ? { disk: "ssd" } : {}, isDraining, isCordoned: isDraining }),
      );
      const suiting = new Set(machines.filter(({ labels, isCordoned }) => labels["disk"] === "ssd" && !isCordoned).map(({ id }) => id));
      const wanted = spec.reduce((sum, [ready]) => sum + ready, 0);
      let next = input({
        app: app({ instances: { [web]: wanted }, target: 2, active: 2 }),
        rollout: null,
        releases: [release(2, "active")],
        placement: { ...anywhere, labels: { disk: "ssd" } },
        machines,
        observed: spec.flatMap(([running], i) => (running === 0 ? [] : [workload(2, { ready: running }, { machine: ids[i] ?? m1 })])),
      });
      for (let round = 0; round < 40; round++) {
        next = carryOut(next, planRollout(next));
        assert.ok(ready(next) >= wanted, `${ready(next)} of ${wanted} ready`);
        next = settle(next);
      }
      if (suiting.size === 0) return;
      for (const { machine, instances } of next.observed ?? [])
        assert.ok(suiting.has(machine) || instances.length === 0, `${machine} has some`);
      assert.equal(ready(next), wanted);
    }),
    { numRuns: 500 },
  );
});

test("with agents that do as they are told, every world ends with the target ready, alone and active", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      let next = world;
      for (let round = 0; round < 80; round++) {
        const plan = planRollout(next);
        next = plan.step === null ? settle(carryOut(next, plan)) : carryOut(next, plan);
        next = { ...next, nowMs: t0 + round };
      }
      const plan = planRollout(next);
      assert.deepEqual({ step: plan.step, orders: plan.orders }, { step: null, orders: [] });
      const wanted = next.app.stopped ? 0 : (next.app.instances[web] ?? 1);
      assert.equal(existing(next), wanted);
      if (!next.app.stopped) {
        assert.equal(next.app.active, 4);
        assert.equal(ready(next), wanted);
      }
    }),
    { numRuns: 2_000 },
  );
});
