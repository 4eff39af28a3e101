import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId } from "#model/names.ts";
import { carryOut, input, room, settle, web, workload } from "../testing/planner-world.ts";
import type { RolloutInput } from "./input.ts";
import { planRollout } from "./plan-rollout.ts";

const ids = ["m1", "m2", "m3", "m4"] as readonly string[] as readonly MachineId[];

/** Carries plans out until there is nothing to do. @param see told of every state in between */
function play(start: RolloutInput, see: (state: RolloutInput) => void = () => {}): RolloutInput {
  let state = start;
  for (let turn = 0; turn < 200; turn++) {
    const plan = planRollout(state);
    if (plan.step === null && plan.orders.length === 0) return state;
    state = carryOut(state, plan);
    see(state);
    if (plan.step === null) state = settle(state);
  }
  throw new Error("it does not come to an end");
}

/** Instances of the release by machine. */
function countsOf({ observed }: RolloutInput, release: number): readonly number[] {
  return ids.map((id) =>
    (observed ?? []).filter((one) => one.machine === id && one.release === release).reduce((sum, one) => sum + one.count, 0),
  );
}

test("a deploy leaves as many on each machine as it found: what it replaces keeps nothing away from where that was", () => {
  const observed = ids.map((machine) => workload(1, { ready: 1 }, { machine }));
  assert.deepEqual(countsOf(play(input({ observed, machines: ids.map((id) => room(id, { instances: 1 })) })), 2), [1, 1, 1, 1]);
});

test("what is too much for a machine goes elsewhere one at a time, and never are fewer ready than wanted", () => {
  const base = input({
    rollout: null,
    machines: ids.map((id) => room(id)),
    observed: [workload(2, { ready: 4 }, { machine: ids[0] as MachineId })],
  });
  const most = new Map([[web, new Map(ids.map((id) => [id, 1]))]]);
  const start = { ...base, app: { ...base.app, active: 2 }, most };
  const end = play(start, ({ observed }) => {
    const instances = (observed ?? []).flatMap((one) => one.instances);
    const ready = instances.filter((one) => one.ready).length;
    assert.ok(ready >= 4, `${ready} are ready`);
    assert.ok((observed ?? []).reduce((sum, one) => sum + Math.max(one.count, one.instances.length), 0) <= 5, "no more than one at a time");
  });
  assert.deepEqual(countsOf(end, 2), [1, 1, 1, 1]);
  assert.deepEqual(countsOf(play({ ...end, most: new Map() }), 2), [1, 1, 1, 1], "and stays there");
});
