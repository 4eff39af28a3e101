import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckState } from "#model/check.ts";
import type { Escalation } from "#model/ladder.ts";
import type { CheckId, EscalationId } from "#model/names.ts";
import { foldResult, unknownState } from "../checks/fold-result.ts";
import { windowOf } from "../checks/window.ts";
import { moment, smokeFails } from "../testing/ladder-plans.ts";
import { actionMs, check, classic, inputOf, quietMs, t0, twoPools } from "../testing/ladder-world.ts";
import { indexLadder } from "./index-ladder.ts";
import type { StepOrder } from "./input.ts";
import { mendedAtMs } from "./mended-at.ts";
import { planLadder } from "./plan-ladder.ts";
import { finishStep } from "./record.ts";

const settleMs = 30_000;
const overMs = 10 * 60_000;
const lines = "lines@app/shop" as CheckId;

/** A check that counts lines over ten minutes, of an app that prints one each second until so many restarts have ended; played for an hour. */
function play(mendsAfter: number) {
  const counted = check("lines", "app", "app", {
    app: "shop",
    failures: 1,
    test: { kind: "log", search: "broken", most: 5, overMs },
  });
  const index = indexLadder({ ...classic, checks: [counted] }, twoPools);
  const runs = new Map<EscalationId, Escalation>();
  const started: string[] = [];
  const states = new Map([[lines, unknownState(lines, t0)]]);
  const said: string[] = [];
  let acting: { readonly step: StepOrder; readonly endsAtMs: number } | null = null;
  let brokenUntilMs = Number.POSITIVE_INFINITY;
  for (let nowMs = t0; nowMs < t0 + 3_600_000; nowMs += counted.everyMs) {
    if (acting !== null && acting.endsAtMs <= nowMs) {
      const run = finishStep(runs.get(acting.step.escalation) as Escalation, acting.step.id, 1, {
        ...{ atMs: nowMs, result: "ok", exitCode: 0, output: "" },
      });
      if (run !== null) runs.set(run.id, run);
      if (started.length >= mendsAfter) brokenUntilMs = Math.min(brokenUntilMs, nowMs);
      acting = null;
    }
    const input = inputOf(index, { states, escalations: [...runs.values()], nowMs });
    const window = windowOf(overMs, nowMs, mendedAtMs(input, "app/shop"));
    const events = window === null ? 0 : Math.max(0, Math.min(window.toMs, brokenUntilMs) - Math.max(window.fromMs, t0)) / 1_000;
    if (window !== null && (events > 5 || window.isWhole)) {
      const result = { check: lines, probe: "server", atMs: nowMs, isOk: events <= 5, message: `${events}` };
      const { state, change } = foldResult(states.get(lines) as CheckState, counted, result);
      states.set(lines, state);
      if (change !== null) said.push(`${(nowMs - t0) / 1_000} ${change.to}`);
    }
    for (let plan = planLadder(input); plan.actions.length > 0; plan = planLadder({ ...input, escalations: [...runs.values()] })) {
      for (const action of plan.actions) {
        if (action.kind === "save") runs.set(action.escalation.id, action.escalation);
        if (action.kind !== "start") continue;
        started.push(`${(nowMs - t0) / 1_000} ${action.step.action.kind === "command" ? action.step.action.run : action.step.action.name}`);
        acting = { step: action.step, endsAtMs: nowMs + actionMs };
      }
    }
  }
  return { started, said };
}

test("a mend that worked is not followed by another one, although what was before it is within the time of the check", () => {
  const { started, said } = play(1);
  assert.deepEqual(started, ["40 app"]);
  const endsAt = 40 + (actionMs + quietMs + overMs) / 1_000;
  assert.deepEqual(said, ["0 ok", "10 failing", `${endsAt} ok`]);
});

test("one that did not work is followed by the next as soon as there are too many since", () => {
  const { started, said } = play(2);
  const againAt = 40 + (actionMs + quietMs) / 1_000 + 10 + settleMs / 1_000;
  assert.deepEqual(started, ["40 app", `${againAt} app`]);
  assert.equal(said.length, 3);
});

test("what is reached by a step counts from the end of its quiet period: its target, what is inside, and the target of its run", () => {
  const input = moment(smokeFails, 60, []);
  const atMs = input.escalations.flatMap(({ steps }) => steps.flatMap(({ ended }) => ended?.atMs ?? [])).at(-1) ?? 0;
  assert.equal(mendedAtMs(input, "app/shop"), atMs + quietMs);
  assert.equal(mendedAtMs(input, "app/store"), null);
  assert.equal(mendedAtMs(input, "space"), null, "of all apps one was acted on");
  const dry = input.escalations.map((run) => ({ ...run, isDryRun: true }));
  assert.equal(mendedAtMs({ ...input, escalations: dry }, "app/shop"), null, "a dry run mends nothing");
  const wide = input.escalations.map((run): Escalation => ({ ...run, target: "pool/web" }));
  assert.equal(mendedAtMs({ ...input, escalations: wide }, "machine/m2"), atMs + quietMs);
});
