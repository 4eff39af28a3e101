import assert from "node:assert/strict";
import { test } from "node:test";
import type { EscalationView } from "#model/api-escalations.ts";
import { newsOf } from "./escalation-news.ts";

const settling: EscalationView = {
  id: "machine/m1@1000",
  target: "machine/m1",
  state: "settling",
  openedAtMs: 1_000,
  settleUntilMs: 2_000,
  isDryRun: false,
  begunAtMs: null,
  level: null,
  at: null,
  failed: ["a", "b", "c", "d", "e"].map((name) => ({
    check: `${name}@machine/m1`,
    target: "machine/m1",
    level: "machine",
    sinceMs: 1_000,
    message: "down",
  })),
  approvals: [],
  steps: [],
  stop: null,
  outcome: null,
  waitingFor: null,
  revision: 1,
};
const step = {
  id: "machine/m1@1000/machine/machine/m1/1",
  level: "machine",
  target: "machine/m1",
  attempt: 1,
  action: { kind: "built-in", name: "machine.replace" },
  startedAtMs: 2_000,
  interruptions: 0,
  ended: null,
  verdict: null,
} as const;
const running: EscalationView = { ...settling, state: "running", begunAtMs: 2_000, level: "machine", at: "machine", steps: [step] };

test("an escalation tells its story line by line, and nothing twice", () => {
  const failed: EscalationView = {
    ...running,
    steps: [
      {
        ...step,
        ended: { atMs: 4_500, result: "failed", exitCode: 7, output: "making it\nout of stock\n" },
        verdict: { atMs: 4_500, kind: "failed", reason: "its action failed" },
      },
      { ...step, id: `${step.id}again`, attempt: 2 },
    ],
  };
  const ended: EscalationView = {
    ...failed,
    outcome: { kind: "people", atMs: 9_000, reason: "level machine failed", acknowledged: null },
  };
  assert.deepEqual(newsOf(null, settling), ["fails: a@machine/m1, b@machine/m1, c@machine/m1 and 2 more"]);
  assert.deepEqual(newsOf(settling, running), [
    "begins at level machine, for a@machine/m1, b@machine/m1, c@machine/m1 and 2 more",
    "machine on machine/m1: machine.replace",
  ]);
  assert.deepEqual(newsOf(running, failed), [
    "machine on machine/m1: failed after 2.5 s: out of stock",
    "machine on machine/m1: failed: its action failed",
    "machine on machine/m1: machine.replace, attempt 2",
  ]);
  assert.deepEqual(newsOf(failed, ended), ["ends: people are needed: level machine failed"]);
  assert.deepEqual(newsOf(ended, ended), []);
});

test("what people do to an escalation is told with who did it", () => {
  const asked = { level: "machine", askedAtMs: 2_000, expiresAtMs: 9_000, decision: null };
  const waiting: EscalationView = { ...running, steps: [], approvals: [asked] };
  assert.deepEqual(newsOf({ ...running, steps: [] }, waiting), [
    "waits for approval of level machine: drover escalation approve machine/m1@1000",
  ]);
  const decided = { ...waiting, approvals: [{ ...asked, decision: { isApproved: true, by: "ann", atMs: 3_000 } }] };
  assert.deepEqual(newsOf(waiting, decided), ["level machine was approved by ann"]);
  assert.deepEqual(newsOf(decided, { ...decided, stop: { by: "ann", atMs: 4_000 } }), ["ann stops it"]);
  assert.deepEqual(newsOf(running, { ...running, steps: [{ ...step, interruptions: 1 }] }), [
    "machine on machine/m1: goes on after the server was gone",
  ]);
});
