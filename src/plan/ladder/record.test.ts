import assert from "node:assert/strict";
import { test } from "node:test";
import type { Escalation, StepRecord } from "#model/ladder.ts";
import type { EscalationId, StepId } from "#model/names.ts";
import { acknowledge, decideApproval, finishStep, stopRun } from "./record.ts";

const step = (name: string, more: Partial<StepRecord> = {}): StepRecord => ({
  id: name as StepId,
  level: "app",
  target: "app/shop",
  attempt: 1,
  action: { kind: "built-in", name: "app.restart" },
  startedAtMs: 0,
  term: 3,
  interruptions: 0,
  isKilled: false,
  ended: null,
  verdict: null,
  ...more,
});
const run = (more: Partial<Escalation> = {}): Escalation => ({
  id: "app/shop@0" as EscalationId,
  target: "app/shop",
  openedAtMs: 0,
  settleUntilMs: 0,
  isDryRun: false,
  begunAtMs: 0,
  level: "app",
  at: "app",
  firstAttempt: 1,
  failed: [],
  approvals: [],
  steps: [],
  stop: null,
  outcome: null,
  ...more,
});
const ok = { atMs: 9, result: "ok", exitCode: 0, output: "" } as const;
const done = { kind: "done", atMs: 1, reason: "" } as const;
const people = { kind: "people", atMs: 1, reason: "", acknowledged: null } as const;
const asked = (level: string) => ({ level, askedAtMs: 0, expiresAtMs: 100, decision: null });

test("the end of a step is written into it alone", () => {
  const steps = [step("a"), step("b")];
  assert.deepEqual(finishStep(run({ steps }), "b" as StepId, 3, ok)?.steps, [step("a"), step("b", { ended: ok })]);
});

test("the end of a step that is not there, was left alone, has ended, or belongs to another server changes nothing", () => {
  const steps = [step("left", { action: null }), step("ended", { ended: ok }), step("acts")];
  for (const id of ["none", "left", "ended"]) assert.equal(finishStep(run({ steps }), id as StepId, 3, ok), null, id);
  assert.equal(finishStep(run({ steps }), "acts" as StepId, 2, ok), null);
  assert.equal(finishStep(run({ steps }), "acts" as StepId, 4, ok), null);
});

test("a decision is written into the approval that the run waits for", () => {
  const approvals = [asked("pool"), asked("app")];
  const decided = decideApproval(run({ approvals }), true, "ann", 99);
  assert.deepEqual(decided?.approvals, [asked("pool"), { ...asked("app"), decision: { isApproved: true, by: "ann", atMs: 99 } }]);
});

test("a decision about a run that has ended, asked for none, has one, or waited too long changes nothing", () => {
  const approvals = [asked("app")];
  assert.equal(decideApproval(run({ approvals, outcome: done }), true, "ann", 0), null);
  assert.equal(decideApproval(run({ approvals: [asked("pool")] }), true, "ann", 0), null);
  assert.equal(decideApproval(run({ approvals }), true, "ann", 100), null);
  const once = decideApproval(run({ approvals }), false, "ann", 0);
  assert.equal(once?.approvals[0]?.decision?.isApproved, false);
  assert.equal(decideApproval(once ?? run(), true, "bob", 0), null);
});

test("people take note once of a run that asked for them", () => {
  const noted = acknowledge(run({ outcome: people }), "ann", 7);
  assert.deepEqual(noted?.outcome, { ...people, acknowledged: { by: "ann", atMs: 7 } });
  assert.equal(acknowledge(noted ?? run(), "bob", 8), null);
  assert.equal(acknowledge(run({ outcome: done }), "ann", 7), null);
  assert.equal(acknowledge(run(), "ann", 7), null);
});

test("a run is stopped once, and not after it has ended", () => {
  const stopped = stopRun(run(), "ann", 7);
  assert.deepEqual(stopped?.stop, { by: "ann", atMs: 7 });
  assert.equal(stopRun(stopped ?? run(), "bob", 8), null);
  assert.equal(stopRun(run({ outcome: done }), "ann", 7), null);
});
