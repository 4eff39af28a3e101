import type { Escalation, StepRecord } from "#model/ladder.ts";
import type { EscalationId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { LadderAction, LadderInput } from "./input.ts";
import type { Need } from "./needs.ts";
import type { Reason } from "./reasons.ts";

/** One planning: what is known, with everything that this plan already decided laid over it. */
export interface Pass {
  readonly input: LadderInput;
  /** Most fundamental first. */
  readonly needs: readonly Need[];
  /** Why the monitor is not to be believed; null when it sees. */
  readonly blind: Reason | null;
  /** What `massFailure` found, and after how many changes of runs. */
  mass: { readonly changes: number; readonly reason: Reason | null } | null;
  /** Runs of the present mode, by id: what a dry run did is nothing to a live one, and the other way round. */
  readonly runs: Map<EscalationId, Escalation>;
  /** Runs that this plan changed: they are left alone until the change is written. */
  readonly changed: Set<EscalationId>;
  readonly actions: LadderAction[];
  readonly waiting: { target: Target; reason: Reason }[];
  readonly wakes: number[];
  /** Why people have to know, by key. */
  readonly notices: Map<string, string>;
}

export function save(pass: Pass, escalation: Escalation, reason: Reason): void {
  pass.runs.set(escalation.id, escalation);
  pass.changed.add(escalation.id);
  pass.actions.push({ kind: "save", escalation, reason });
}

/** Notes what is waited for, and when to look again. */
export function wait(pass: Pass, target: Target, reason: Reason, untilMs: number | null): void {
  pass.waiting.push({ target, reason });
  if (untilMs !== null) pass.wakes.push(untilMs);
}

export function activeRuns(pass: Pass): readonly Escalation[] {
  return [...pass.runs.values()].filter(({ outcome, begunAtMs }) => outcome === null && begunAtMs !== null);
}

export function settlingRuns(pass: Pass): readonly Escalation[] {
  return [...pass.runs.values()].filter(({ outcome, begunAtMs }) => outcome === null && begunAtMs === null);
}

/** When the quiet period of a step is over; null while it acts. */
export function quietUntilMs(pass: Pass, step: StepRecord): number | null {
  if (step.ended === null) return null;
  const { ladder, levels } = pass.input.index;
  return step.ended.atMs + (ladder.levels[levels.get(step.level) ?? -1]?.quietMs ?? 0);
}

/** Steps that act or whose quiet period holds, of every run, ended ones too. */
export function busySteps(pass: Pass): readonly { readonly run: Escalation; readonly step: StepRecord }[] {
  const busy: { run: Escalation; step: StepRecord }[] = [];
  for (const run of pass.runs.values()) for (const step of run.steps) if (isBusy(pass, step)) busy.push({ run, step });
  return busy;
}

export function isBusy(pass: Pass, step: StepRecord): boolean {
  if (step.action === null) return false;
  const untilMs = quietUntilMs(pass, step);
  return untilMs === null || untilMs > pass.input.nowMs;
}
