import type { Escalation } from "#model/ladder.ts";
import { advanceRun } from "./climb.ts";
import { findBlindness } from "./guards.ts";
import type { LadderInput, LadderPlan } from "./input.ts";
import { findNeeds } from "./needs.ts";
import { tellPeople } from "./notices.ts";
import { activeRuns, type Pass, wait } from "./pass.ts";
import type { Reason } from "./reasons.ts";
import { endRun, isBegun } from "./runs.ts";
import { tendWindows } from "./windows.ts";

/**
 * What to do next for the failing checks of a space: docs/escalator.md says it in words. Pure, total and deterministic. At most one change
 * of each run is in a plan; carrying a plan out and asking again, until a plan is empty, takes everything as far as it goes at this moment.
 */
export function planLadder(input: LadderInput): LadderPlan {
  const pass = newPass(input);
  for (const run of input.escalations) if (run.outcome === null && run.isDryRun !== input.isDryRun) endOtherMode(pass, run);
  for (const run of activeRuns(pass)) if (isBegun(run)) advanceRun(pass, run);
  tendWindows(pass);
  tellPeople(pass);
  for (const { untilMs } of input.pauses) pass.wakes.push(untilMs);
  if (input.silent.untilMs !== null) pass.wakes.push(input.silent.untilMs);
  const later = pass.wakes.filter((atMs) => atMs > input.nowMs);
  return { actions: pass.actions, waiting: pass.waiting, replanAtMs: later.length === 0 ? null : Math.min(...later) };
}

function newPass(input: LadderInput): Pass {
  const own = input.escalations.filter(({ isDryRun }) => isDryRun === input.isDryRun);
  const sorted = own.toSorted((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1));
  const wakes: number[] = [];
  return {
    input,
    needs: findNeeds(input, wakes),
    blind: findBlindness(input, wakes),
    mass: null,
    runs: new Map(sorted.map((run) => [run.id, run])),
    changed: new Set(),
    actions: [],
    waiting: [],
    wakes,
    notices: new Map(),
  };
}

/** A run of the other mode ends when its current step does: to cut an action short can do more harm than to let it end. */
function endOtherMode(pass: Pass, run: Escalation): void {
  const { index, nowMs, term, isDryRun } = pass.input;
  const reason: Reason = { kind: "mode-changed", isDryRun };
  const acting = run.steps.filter(({ action, ended }) => action !== null && ended === null);
  for (const step of acting) {
    const deadlineMs = step.startedAtMs + (index.ladder.levels[index.levels.get(step.level) ?? -1]?.timeoutMs ?? 0);
    if (step.term < term || nowMs >= deadlineMs) continue;
    wait(pass, run.target, { kind: "acting", level: step.level, target: step.target }, deadlineMs);
    return;
  }
  // Nobody waits for these any more, and a step that never ends would keep its target busy for ever.
  const killed = { atMs: nowMs, result: "killed", exitCode: null, output: "" } as const;
  endRun(pass, { ...run, steps: run.steps.map((step) => (acting.includes(step) ? { ...step, ended: killed } : step)) }, "stopped", reason);
  for (const step of acting) pass.actions.push({ kind: "kill", step: step.id, escalation: run.id, reason });
}
