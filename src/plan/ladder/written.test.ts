import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppName, CheckId } from "#model/names.ts";
import { hangs, killed, m1Down, moment, smoke, smokeFails } from "../testing/ladder-plans.ts";
import { classic, inputOf, playScene, stateOf, t0 } from "../testing/ladder-world.ts";
import { indexLadder } from "./index-ladder.ts";
import { planLadder } from "./plan-ladder.ts";
import { describeReason } from "./reasons.ts";

/** What is written of runs and steps. */
test("a settle window is a record of what fails, with nothing decided", () => {
  const [live] = planLadder(moment(smokeFails, 0, [smoke], { escalations: [] })).actions;
  assert.ok(live?.kind === "save");
  assert.deepEqual(live.escalation, {
    id: `app/shop@${t0}`,
    target: "app/shop",
    openedAtMs: t0,
    settleUntilMs: t0 + 30_000,
    isDryRun: false,
    begunAtMs: null,
    level: null,
    at: null,
    firstAttempt: 1,
    failed: [{ check: smoke, target: "app/shop", level: "app", sinceMs: t0, message: "no answer" }],
    approvals: [],
    steps: [],
    stop: null,
    outcome: null,
  });
});

test("what runs inside of its target is written when a run begins, except for a space, which always has all of it inside", () => {
  const ranThere = (failing: string) => playScene({ fails: { [failing]: [0] }, forSeconds: 31 }).escalations[0]?.ranThere;
  assert.deepEqual(ranThere("ping@machine/m1"), ["app/shop"]);
  assert.equal(ranThere("provider-online@space"), undefined);
});

test("a dry run's record has a name that no live one has", () => {
  const [dry] = planLadder(moment(smokeFails, 0, [smoke], { escalations: [], isDryRun: true })).actions;
  assert.ok(dry?.kind === "save");
  assert.equal(dry.escalation.id, `app/shop@${t0}-dry`);
});

test("no more than two hundred runs are open at once, and what has to wait says so", () => {
  const apps = Array.from({ length: 202 }, (_, i) => `app${1_000 + i}` as AppName);
  const index = indexLadder(classic, { pools: [], machines: [], apps });
  const ids = apps.map((app) => `smoke@app/${app}` as CheckId);
  const states = new Map(ids.map((id) => [id, stateOf(id, true, t0, t0)]));
  const [ended] = playScene({ fails: { [smoke]: [0, 10] }, forSeconds: 60 }).escalations;
  assert.equal(ended?.outcome?.kind, "recovered");
  const { actions, waiting } = planLadder(inputOf(index, { states, escalations: [ended] }));
  assert.equal(actions.filter(({ kind }) => kind === "save").length, 200);
  assert.deepEqual(
    waiting.map(({ target, reason }) => `${target}: ${describeReason(reason)}`),
    ["app/app1200: 200 runs are open already"],
  );
});

test("a step is marked as told to end, with the order to end it", () => {
  const [action] = planLadder(moment(hangs, 149, [smoke], { nowMs: t0 + 150_000 })).actions;
  assert.ok(action?.kind === "save");
  assert.equal(action.escalation.steps[0]?.isKilled, true);
});

test("what the end of a mode cuts short is written as ended", () => {
  const [action] = planLadder(moment(m1Down, 35, [], { isDryRun: true, term: 2 })).actions;
  assert.ok(action?.kind === "save");
  assert.deepEqual(action.escalation.steps[0]?.ended, { ...killed, atMs: t0 + 35_000 });
});

test("in whatever order checks were heard, what is most fundamental comes first", () => {
  const input = moment(m1Down, 0, ["ping@machine/m1", "services@machine/m1"], { escalations: [] });
  assert.deepEqual(planLadder({ ...input, states: new Map([...input.states].reverse()) }), planLadder(input));
});

test("what is left alone is written as a step that was skipped, with no attempt made", () => {
  const pauses = [{ target: "machine/m2", by: "ann", sinceMs: t0, untilMs: t0 + 600_000 }] as const;
  const { escalations } = playScene({ fails: { "pool-serves@pool/web": [0] }, start: { pauses }, forSeconds: 101 });
  const skipped = escalations[0]?.steps.find(({ target }) => target === "machine/m2");
  assert.deepEqual(skipped, {
    id: `pool/web@${t0}/machine/machine/m2/0`,
    level: "machine",
    target: "machine/m2",
    attempt: 0,
    action: null,
    startedAtMs: t0 + 100_000,
    term: 1,
    interruptions: 0,
    isKilled: false,
    ended: null,
    verdict: { atMs: t0 + 100_000, kind: "skipped", reason: "machine/m2 is paused by ann" },
  });
});
