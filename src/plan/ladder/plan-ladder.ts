import type { Escalation } from "#model/ladder.ts";
import { advanceRun } from "./climb.ts";
import { budgetMs, findBlindness, findMachineFailures } from "./guards.ts";
import type { LadderInput, LadderPlan } from "./input.ts";
import { findTroubles } from "./needs.ts";
import { tellPeople } from "./notices.ts";
import { isBegun, isBusy, lay, type Pass, quietEnds, wait, wake } from "./pass.ts";
import { Placed } from "./placed.ts";
import type { Reason } from "./reasons.ts";
import { endRun } from "./runs.ts";
import { tendWindows } from "./windows.ts";

/**
 * What to do next for the failing checks of a space: docs/escalator.md says it in words. Pure, total and deterministic. At most one change
 * of each run is in a plan; carrying a plan out and asking again, until a plan is empty, takes everything as far as it goes at this moment.
 */
export function planLadder(input: LadderInput): LadderPlan {
  const pass = newPass(input);
  for (const run of input.escalations) if (run.outcome === null && run.isDryRun !== input.isDryRun) endOtherMode(pass, run);
  for (const run of [...pass.runs.values()]) if (isBegun(run)) advanceRun(pass, run);
  tendWindows(pass);
  tellPeople(pass);
  for (const { untilMs } of input.pauses) wake(pass, untilMs);
  if (input.silent.untilMs !== null) wake(pass, input.silent.untilMs);
  return { actions: pass.actions, waiting: pass.waiting, replanAtMs: Number.isFinite(pass.wakeAtMs) ? pass.wakeAtMs : null };
}

function newPass(input: LadderInput): Pass {
  const { places } = input.index;
  const alarm = { input, wakeAtMs: Number.POSITIVE_INFINITY };
  const troubles = findTroubles(input, (atMs) => wake(alarm, atMs));
  const blind = findBlindness(input, (atMs) => wake(alarm, atMs));
  const own = input.escalations.filter(({ isDryRun }) => isDryRun === input.isDryRun);
  const pass: Pass = {
    input,
    troubles,
    troubleAt: new Placed(places),
    blind,
    runs: new Map(),
    changed: new Set(),
    begun: new Placed(places),
    windows: new Map(),
    people: new Map(),
    busy: new Placed(places),
    quietUntilMs: quietEnds({ input }, own),
    failing: findMachineFailures(input, troubles),
    mass: undefined,
    ended: undefined,
    pools: new Map(),
    starts: [],
    actions: [],
    waiting: [],
    wakeAtMs: alarm.wakeAtMs,
    notices: new Map(),
  };
  for (const trouble of troubles) pass.troubleAt.add(trouble.target, trouble);
  for (const run of own.toSorted((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1))) {
    lay(pass, run);
    for (const step of run.steps) {
      if (isBusy(pass, step)) pass.busy.add(step.target, step);
      if (step.action !== null && step.startedAtMs + budgetMs > input.nowMs) pass.starts.push(step.startedAtMs);
    }
  }
  pass.starts.sort((a, b) => a - b);
  return pass;
}
/** A run of the other mode ends when its current step does: to cut an action short can do more harm than to let it end. */
function endOtherMode(pass: Pass, run: Escalation): void {
  const { index, nowMs, term, isDryRun } = pass.input;
  const reason: Reason = { kind: "mode-changed", isDryRun };
  const acting = run.steps.filter(({ action, ended }) => action !== null && ended === null);
  for (const step of acting) {
    const deadlineMs = step.startedAtMs + (index.levelNamed.get(step.level)?.timeoutMs ?? 0);
    if (step.term < term || nowMs >= deadlineMs) continue;
    wait(pass, run.target, { kind: "acting", level: step.level, target: step.target }, deadlineMs);
    return;
  }
  // Nobody waits for these any more, and a step that never ends would keep its target busy for ever.
  const killed = { atMs: nowMs, result: "killed", exitCode: null, output: "" } as const;
  endRun(pass, { ...run, steps: run.steps.map((step) => (acting.includes(step) ? { ...step, ended: killed } : step)) }, "stopped", reason);
  for (const step of acting) pass.actions.push({ kind: "kill", step: step.id, escalation: run.id, reason });
}
