import type { Level, StepRecord, StepVerdict } from "#model/ladder.ts";
import { holdOf, pauseOver, waitsForPeople } from "./guards.ts";
import { type Pass, type Run, save, wait } from "./pass.ts";
import { describeReason, type Reason } from "./reasons.ts";
import { isStillNeeded, reachOf } from "./runs.ts";
import { orderOf } from "./step-order.ts";
import { judgeStep, ownCheckPasses } from "./steps.ts";

/** After so many deaths of the server during one attempt the attempt is what kills it. */
const mostInterruptions = 20;

/** Looks after the steps of a run that are under way. Gives true when it changed the record, which then has to be written first. */
export function tendSteps(pass: Pass, run: Run): boolean {
  for (const step of run.steps) {
    if (step.verdict !== null || step.action === null) continue;
    const level = pass.input.index.levelNamed.get(step.level);
    const isChanged =
      step.ended === null ? tendActing(pass, run, level, step) : tendEnded(pass, run, level, { ...step, ended: step.ended });
    if (isChanged) return true;
  }
  return false;
}

function tendActing(pass: Pass, run: Run, level: Level | undefined, step: StepRecord): boolean {
  const { nowMs, term } = pass.input;
  if (step.term < term) return tendInterrupted(pass, run, level, step);
  const deadlineMs = step.startedAtMs + (level?.timeoutMs ?? 0);
  const reason = step.isKilled ? null : whyKilled(run, level, step, nowMs >= deadlineMs);
  if (reason === null) {
    wait(pass, step.target, { kind: "acting", level: step.level, target: step.target }, deadlineMs);
    return false;
  }
  replaceStep(pass, run, { ...step, isKilled: true }, reason);
  pass.actions.push({ kind: "kill", step: step.id, escalation: run.id, reason });
  return true;
}

function whyKilled(run: Run, level: Level | undefined, step: StepRecord, isOverdue: boolean): Reason | null {
  if (run.stop !== null) return { kind: "stopped", by: run.stop.by };
  if (level === undefined) return { kind: "level-gone", level: step.level };
  return isOverdue ? { kind: "overdue", timeoutMs: level.timeoutMs } : null;
}

/**
 * The server that executed it is gone, and with it what the step came to. It may have done its work: what it was to mend is looked at first, and
 * only if that still fails is the same attempt made again, under the same id.
 */
function tendInterrupted(pass: Pass, run: Run, level: Level | undefined, step: StepRecord): boolean {
  const { nowMs, term } = pass.input;
  const lost = { atMs: nowMs, exitCode: null, output: "" } as const;
  const interruptions = step.interruptions + 1;
  const end = (result: "ok" | "failed" | "killed", kind: StepVerdict["kind"], why: string) => {
    const reason: Reason = { kind: "verdict", verdict: kind, level: step.level, target: step.target, why };
    replaceStep(pass, run, { ...step, ended: { ...lost, result }, verdict: { atMs: nowMs, kind, reason: why } }, reason);
    return true;
  };
  if (level === undefined || run.stop !== null || step.isKilled) return end("killed", "failed", "it was ended with the server that ran it");
  if (isMended(pass, run, level, step)) return end("ok", "mended", "a server died while it acted, and what it was to mend is well");
  if (interruptions > mostInterruptions) return end("failed", "failed", describeReason({ kind: "interrupted-often", interruptions }));
  const reach = reachOf(pass, run);
  const hold = reach === null ? null : (holdOf(pass, reach) ?? pauseOver(pass, step.target) ?? waitsForPeople(pass, step.target));
  if (hold !== null) {
    wait(pass, step.target, hold.reason, hold.untilMs);
    return false;
  }
  const again = { ...step, term, interruptions, startedAtMs: nowMs };
  const reason: Reason = { kind: "repeated", level: step.level, target: step.target, interruptions };
  replaceStep(pass, run, again, reason);
  pass.actions.push({ kind: "start", step: orderOf(run, level, again, term), reason });
  return true;
}

/** Whether what the step was to mend is well without it: its own check passes; or, without one, what the run began with fails no more. */
export function isMended(pass: Pass, run: Run, level: Level, step: StepRecord): boolean {
  const sinceMs = step.ended?.atMs ?? step.startedAtMs;
  if (level.check !== null) return ownCheckPasses(pass, level, step.target, sinceMs);
  return level.name === run.level && !isStillNeeded(pass, run);
}

function tendEnded(
  pass: Pass,
  run: Run,
  level: Level | undefined,
  step: StepRecord & { ended: NonNullable<StepRecord["ended"]> },
): boolean {
  const { nowMs } = pass.input;
  const judged =
    level === undefined
      ? { verdict: { atMs: nowMs, kind: "failed", reason: "the ladder has its level no more" } as const }
      : judgeStep(pass, level, step);
  if ("verdict" in judged) {
    const { kind, reason } = judged.verdict;
    replaceStep(
      pass,
      run,
      { ...step, verdict: judged.verdict },
      { kind: "verdict", verdict: kind, level: step.level, target: step.target, why: reason },
    );
    return true;
  }
  const kind = judged.waitsFor === "quiet" ? "quiet" : "own-check";
  wait(pass, step.target, { kind, level: step.level, target: step.target, untilMs: judged.untilMs }, judged.untilMs);
  return false;
}

function replaceStep(pass: Pass, run: Run, step: StepRecord, reason: Reason): void {
  save(pass, { ...run, steps: run.steps.map((one) => (one.id === step.id ? step : one)) }, reason);
}
