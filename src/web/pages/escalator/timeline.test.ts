import assert from "node:assert/strict";
import { test } from "node:test";
import type { EscalationView } from "#model/api-escalations.ts";
import { timelineOf } from "./timeline.ts";

const run: EscalationView = {
  id: "e1",
  target: "app/shop",
  state: "ended",
  openedAtMs: 2_000,
  settleUntilMs: 3_000,
  isDryRun: false,
  begunAtMs: 3_000,
  level: "app",
  at: null,
  failed: [{ check: "smoke@app/shop", target: "app/shop", level: "app", sinceMs: 1_000, message: "answered 500" }],
  approvals: [{ level: "app", askedAtMs: 3_500, expiresAtMs: 9_000, decision: { isApproved: true, by: "ann", atMs: 4_000 } }],
  steps: [
    {
      id: "s1",
      level: "app",
      target: "app/shop",
      attempt: 1,
      action: { kind: "built-in", name: "app.restart" },
      startedAtMs: 5_000,
      interruptions: 0,
      ended: { atMs: 6_000, result: "ok", exitCode: null, output: "restarted" },
      verdict: { atMs: 8_000, kind: "passed", reason: "smoke passes" },
    },
  ],
  stop: null,
  outcome: { kind: "done", atMs: 9_000, reason: "all passes", acknowledged: null },
  waitingFor: null,
  revision: 3,
};

test("a timeline tells an escalation in order, from what failed to how it ended", () => {
  assert.deepEqual(
    timelineOf(run).map(({ atMs, word }) => [atMs, word]),
    [
      [1_000, "failed"],
      [2_000, "opened"],
      [3_000, "begun"],
      [3_500, "asked"],
      [4_000, "approved"],
      [5_000, "step"],
      [6_000, "ok"],
      [8_000, "passed"],
      [9_000, "done"],
    ],
  );
});

test("what is under way has no end yet", () => {
  const [step] = run.steps;
  assert.ok(step);
  const underWay: EscalationView = { ...run, steps: [{ ...step, ended: null, verdict: null }], outcome: null };
  assert.equal(timelineOf(underWay).at(-1)?.word, "step");
});
