import type { Escalation, Outcome } from "#model/ladder.ts";
import { needOf, type Reach } from "./needs.ts";
import { isBusy, type Pass, quietUntilMs, type Run, save } from "./pass.ts";
import { above } from "./places.ts";
import { describeReason, type Reason } from "./reasons.ts";

/** From where a run reaches down; null when it has no level yet, or the ladder has it no more. */
export function reachOf(pass: Pass, run: Escalation): Reach | null {
  const level = pass.input.index.levels.get(run.level ?? "");
  return level === undefined ? null : { target: run.target, level };
}

export function isActing(run: Escalation): boolean {
  return run.steps.some((step) => step.action !== null && step.ended === null);
}

/** When the current step with its quiet period is over: infinite while a step acts, now when nothing goes on. */
export function freeAtMs(pass: Pass, run: Escalation): number {
  return Math.max(pass.input.nowMs, ...run.steps.filter((step) => isBusy(pass, step)).map((step) => quietUntilMs(pass, step)));
}

type PlainEnd = Exclude<Outcome["kind"], "absorbed" | "people">;

export function endRun(pass: Pass, run: Escalation, kind: PlainEnd, reason: Reason): void {
  save(pass, { ...run, outcome: { kind, atMs: pass.input.nowMs, reason: describeReason(reason) } }, reason);
}

export function absorbRun(pass: Pass, run: Escalation, by: Run): void {
  const reason: Reason = { kind: "absorbed", by: by.id, target: by.target, level: by.level };
  save(pass, { ...run, outcome: { kind: "absorbed", by: by.id, atMs: pass.input.nowMs, reason: describeReason(reason) } }, reason);
}

export function askPeople(pass: Pass, run: Escalation, reason: Reason): void {
  save(pass, { ...run, outcome: { kind: "people", atMs: pass.input.nowMs, reason: describeReason(reason), acknowledged: null } }, reason);
}

/** Whether what made a run begin with its level still fails: the most fundamental of its checks, any of them. */
export function isStillNeeded(pass: Pass, run: Run): boolean {
  // A run's checks are written down with the most fundamental one first.
  const [most] = run.failed;
  return run.failed.some(({ check, level }) => {
    const need = level === most?.level ? needOf(pass.input, pass.input.states.get(check)) : null;
    return need !== null && above(pass.input.index.places, need.target).has(run.target);
  });
}
