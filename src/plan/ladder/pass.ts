import type { Escalation, Outcome, StepRecord } from "#model/ladder.ts";
import type { EscalationId } from "#model/names.ts";
import { rankOf, type Target } from "#model/target.ts";
import type { MachineFailure } from "./guards.ts";
import type { LadderAction, LadderInput } from "./input.ts";
import type { Trouble } from "./needs.ts";
import type { Placed } from "./placed.ts";
import type { PoolStand } from "./pool-guard.ts";
import type { Reason } from "./reasons.ts";

/** A run whose level is decided, and that has not ended. */
export type Run = Escalation & { readonly level: string; readonly at: string; readonly outcome: null };

export interface EndedRun {
  readonly run: Escalation;
  readonly outcome: Outcome;
}

/**
 * One planning: what is known, with everything that this plan already decided laid over it. What is asked for every failing check is kept by target
 * here, because a plan in which everything fails must not take the square of a plan in which one thing does.
 */
export interface Pass {
  readonly input: LadderInput;
  /** Most fundamental first. */
  readonly troubles: readonly Trouble[];
  readonly troubleAt: Placed<Trouble>;
  /** Why the monitor is not to be believed; null when it sees. */
  readonly blind: Reason | null;
  /** Runs of the present mode, by id: what a dry run did is nothing to a live one, and the other way round. */
  readonly runs: Map<EscalationId, Escalation>;
  /** Runs that this plan changed: they are left alone until the change is written. */
  readonly changed: Set<EscalationId>;
  /** Runs that were begun, where they act. */
  readonly begun: Placed<EscalationId>;
  /** Windows that were open, by target. */
  readonly windows: Map<Target, EscalationId>;
  /** Runs that ended with people who have not acknowledged, by target. */
  readonly people: Map<Target, Escalation>;
  /** Steps that act or whose quiet period holds, of every run, ended ones too. */
  readonly busy: Placed<StepRecord>;
  /** When the quiet period of the last step at a target, or of the last run on it, is over: a result from before says nothing of what they did. */
  readonly quietUntilMs: ReadonlyMap<Target, number>;
  /** Machines that fail, and since when. */
  readonly failing: readonly MachineFailure[];
  /** What `massFailure` found; undefined when it has to look again. */
  mass: Reason | null | undefined;
  /** Runs that have ended, the last one first; undefined until someone asks. */
  ended: readonly EndedRun[] | undefined;
  readonly pools: Map<Target, PoolStand>;
  /** When the steps of the last hour started, oldest first. */
  readonly starts: number[];
  readonly actions: LadderAction[];
  readonly waiting: { target: Target; reason: Reason }[];
  /** Earliest moment after now at which something changes by itself; infinite if never. */
  wakeAtMs: number;
  /** Why people have to know, by key. */
  readonly notices: Map<string, string>;
}

/** Whether more than one machine may be inside. */
export function isWide(target: Target): boolean {
  return rankOf(target) < rankOf("machine/");
}

export function isBegun(run: Escalation): run is Run {
  return run.level !== null && run.at !== null && run.outcome === null;
}

/** Lays the present record of a run over what is known. */
export function lay(pass: Pass, run: Escalation): void {
  pass.runs.set(run.id, run);
  if (isBegun(run)) pass.begun.add(run.target, run.id);
  if (run.outcome === null && !isBegun(run)) pass.windows.set(run.target, run.id);
  if (run.outcome?.kind === "people" && run.outcome.acknowledged === null && !pass.people.has(run.target)) pass.people.set(run.target, run);
}

export function save(pass: Pass, escalation: Escalation, reason: Reason): void {
  lay(pass, escalation);
  // A mass failure does not count what a run over a pool or the space mends.
  if (isWide(escalation.target)) pass.mass = undefined;
  pass.changed.add(escalation.id);
  pass.actions.push({ kind: "save", escalation, reason });
}

/** Notes what is waited for, and when to look again: infinite if nobody knows. */
export function wait(pass: Pass, target: Target, reason: Reason, untilMs: number): void {
  pass.waiting.push({ target, reason });
  wake(pass, untilMs);
}

/** The plan has to be made anew at this moment, if it is still to come. */
export function wake(pass: Pick<Pass, "input" | "wakeAtMs">, atMs: number): void {
  if (atMs > pass.input.nowMs) pass.wakeAtMs = Math.min(pass.wakeAtMs, atMs);
}

/** The window on a target; null when none is open. */
export function windowAt(pass: Pass, target: Target): Escalation | null {
  const window = pass.runs.get(pass.windows.get(target) ?? ("" as EscalationId));
  return window === undefined || window.outcome !== null || window.level !== null ? null : window;
}

/** Of these runs, as they are now, what is under way. */
export function underWay(pass: Pass, ids: Iterable<EscalationId>): readonly Run[] {
  return [...ids].flatMap((id) => {
    const run = pass.runs.get(id);
    return run !== undefined && isBegun(run) ? [run] : [];
  });
}

/** When the quiet period of a step is over; infinite while it acts. */
export function quietUntilMs({ input }: { readonly input: Pick<LadderInput, "index"> }, step: StepRecord): number {
  if (step.ended === null) return Number.POSITIVE_INFINITY;
  return step.ended.atMs + (input.index.levelNamed.get(step.level)?.quietMs ?? 0);
}

/** By target, the last end of a quiet period at it; that of all steps of a run that has ended counts for the run's own target too. */
export function quietEnds(pass: Pick<Pass, "input">, runs: readonly Escalation[]): ReadonlyMap<Target, number> {
  const ends = new Map<Target, number>();
  for (const run of runs) {
    for (const step of run.steps) {
      if (step.action === null) continue;
      const endMs = quietUntilMs(pass, step);
      for (const target of run.outcome === null ? [step.target] : [step.target, run.target])
        ends.set(target, Math.max(endMs, ends.get(target) ?? endMs));
    }
  }
  return ends;
}

/** Whether a step acts or its quiet period holds. */
export function isBusy(pass: Pick<Pass, "input">, step: StepRecord): boolean {
  return step.action !== null && quietUntilMs(pass, step) > pass.input.nowMs;
}
