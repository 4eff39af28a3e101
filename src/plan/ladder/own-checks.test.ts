import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckState } from "#model/check.ts";
import type { CheckId } from "#model/names.ts";
import { moment, says, smokeFails } from "../testing/ladder-plans.ts";
import { levelsWith } from "../testing/ladder-rows.ts";
import { type Scene, stateOf, t0, twoPools } from "../testing/ladder-world.ts";
import { planLadder } from "./plan-ladder.ts";

/** The check that a level names as the proof of its action. */
const poolChecked = { fails: { "pool-serves@pool/web": [0] }, ladder: { levels: levelsWith("pool", { check: "services" }) } } as const;
const appChecked = { ...smokeFails, ladder: { levels: levelsWith("app", { check: "pool-serves" }) } } as const;
const failedCheck = (id: string): CheckState => stateOf(id as CheckId, true, t0, t0 + 1e9);

/** A level whose check has this state once the quiet period is over. */
function judged(scene: Scene, seconds: number, states: readonly CheckState[]) {
  const input = moment(scene, 99, []);
  const known = new Map([...input.states, ...states.map((state) => [state.id, state] as const)]);
  return says(planLadder({ ...input, nowMs: t0 + seconds * 1_000, states: known }));
}

test("rule 8: the check of a level looks inside its target when it is not made there, and has to pass everywhere", () => {
  assert.deepEqual(judged(poolChecked, 100, []).does, [
    'save pool/web: level "pool" on pool/web passed: its action exited well and its check passes',
  ]);
  assert.deepEqual(judged(poolChecked, 100, [failedCheck("services@machine/m2")]).does.slice(0, 1), [
    'save pool/web: level "pool" on pool/web failed: its check services@machine/m2 fails: no answer',
  ]);
  assert.deepEqual(judged(poolChecked, 100, [failedCheck("services@machine/m3")]).does.slice(0, 1), [
    'save pool/web: level "pool" on pool/web passed: its action exited well and its check passes',
  ]);
});

test("or around it", () => {
  assert.deepEqual(judged(appChecked, 100, [failedCheck("pool-serves@pool/db")]).does.slice(0, 1), [
    'save app/shop: level "app" on app/shop passed: its action exited well and its check passes',
  ]);
  assert.deepEqual(judged(appChecked, 100, [failedCheck("pool-serves@pool/web")]).does.slice(0, 1), [
    'save app/shop: level "app" on app/shop failed: its check pool-serves@pool/web fails: no answer',
  ]);
});

test("a check that fails for the first time has neither passed nor failed, until it could have", () => {
  const wavering = { ...failedCheck("pool-serves@pool/web"), verdict: "ok" as const };
  assert.deepEqual(judged(appChecked, 100, [wavering]).waits, ['app/shop: the check of level "app" on app/shop']);
  assert.deepEqual(judged(appChecked, 134, [wavering]).does, []);
  assert.deepEqual(judged(appChecked, 135, [wavering]).does.slice(0, 1), [
    'save app/shop: level "app" on app/shop failed: its check pool-serves@pool/web did not pass',
  ]);
});

test("what was heard before the quiet period was over says nothing about the step", () => {
  const before = { ...failedCheck("pool-serves@pool/web"), atMs: t0 + 99_999 };
  assert.deepEqual(judged(appChecked, 100, [before]).waits, ['app/shop: the check of level "app" on app/shop']);
  const after = { ...before, atMs: t0 + 100_000 };
  assert.match(judged(appChecked, 100, [after]).does[0] ?? "", /its check pool-serves@pool\/web fails/);
});

test("rule 8: in a pool of one machine its check is looked at too", () => {
  const topology = { ...twoPools, machines: twoPools.machines.filter(({ name }) => name !== "m2") };
  assert.deepEqual(judged({ ...poolChecked, topology }, 100, [failedCheck("services@machine/m1")]).does.slice(0, 1), [
    'save pool/web: level "pool" on pool/web failed: its check services@machine/m1 fails: no answer',
  ]);
});
