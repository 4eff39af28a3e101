import type { CheckState } from "#model/check.ts";
import type { Escalation, Notice, StepEnd } from "#model/ladder.ts";
import type { CheckId, EscalationId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { LadderAction, LadderInput, StepOrder } from "./input.ts";
import { planLadder } from "./plan-ladder.ts";
import type { Reason } from "./reasons.ts";
import { finishStep } from "./record.ts";

/** What the planner acts on in a play: its checks, and what comes of its actions. */
export interface Stage {
  states(nowMs: number): ReadonlyMap<CheckId, CheckState>;
  /** What of the input changes by itself: pauses, the monitor, and the like. */
  input?(nowMs: number): Partial<LadderInput>;
  /** How the action will end, at `atMs`; null: never, until it is killed. */
  act(step: StepOrder, nowMs: number): StepEnd | null;
  /** The next time at which the stage changes by itself; null if never. */
  nextAtMs(nowMs: number): number | null;
}

export interface Played {
  readonly atMs: number;
  readonly action: LadderAction;
}

/** Something that came to a stand at this time, and why. */
export interface Waited {
  readonly atMs: number;
  readonly target: Target;
  readonly reason: Reason;
}

/** The most changes that a play looks at: a bound for a stage that never rests. */
const mostRounds = 100_000;

/**
 * Plays the planner against a stage on a virtual clock, from `input.nowMs` to `untilMs`: carries each plan out at once, moves on when one is empty.
 * What acts at the start, for this term, goes on as the stage says.
 */
export function playLadder(
  input: LadderInput,
  stage: Stage,
  untilMs: number,
): { readonly played: readonly Played[]; readonly waited: readonly Waited[]; readonly escalations: readonly Escalation[] } {
  const runs = new Map<EscalationId, Escalation>(input.escalations.map((run) => [run.id, run]));
  const notices = new Map<string, Notice>(input.notices.map((notice) => [notice.key, notice]));
  const acting = new Map<string, { readonly step: StepOrder; readonly end: StepEnd | null }>();
  const played: Played[] = [];
  const waited: Waited[] = [];
  let before = new Set<string>();
  for (const step of input.escalations.flatMap((run) => stepsUnderWay(input, run)))
    acting.set(step.id, { step, end: stage.act(step, input.nowMs) });
  let nowMs = input.nowMs;
  const finish = (step: StepOrder, end: StepEnd) => {
    // Its run was written before it started.
    const next = finishStep(runs.get(step.escalation) as Escalation, step.id, step.term, end);
    if (next !== null) runs.set(next.id, next);
  };
  const carryOut = (action: LadderAction) => {
    played.push({ atMs: nowMs, action });
    if (action.kind === "save") runs.set(action.escalation.id, action.escalation);
    else if (action.kind === "start") acting.set(action.step.id, { step: action.step, end: stage.act(action.step, nowMs) });
    else if (action.kind === "tell") notices.set(action.notice.key, action.notice);
    else if (action.kind === "clear") notices.delete(action.key);
    else {
      const step = acting.get(action.step)?.step;
      const result = action.reason.kind === "overdue" ? "timed-out" : "killed";
      if (step !== undefined) finish(step, { atMs: nowMs, result, exitCode: null, output: "" });
    }
  };
  for (let round = 0; round < mostRounds && nowMs <= untilMs; round++) {
    for (const { step, end } of [...acting.values()]) if (end !== null && end.atMs <= nowMs) finish(step, end);
    const plan = planLadder({
      ...input,
      ...stage.input?.(nowMs),
      nowMs,
      states: stage.states(nowMs),
      escalations: [...runs.values()],
      notices: [...notices.values()],
    });
    for (const action of plan.actions) carryOut(action);
    if (plan.actions.length > 0) continue;
    const keyed = new Map(plan.waiting.map((one) => [`${one.target} ${one.reason.kind}`, one]));
    for (const [key, one] of keyed) if (!before.has(key)) waited.push({ atMs: nowMs, ...one });
    before = new Set(keyed.keys());
    const ends = [...acting.values()].flatMap(({ end }) => (end === null ? [] : [end.atMs]));
    // Infinite when nothing will ever change.
    nowMs = Math.min(...[plan.replanAtMs, stage.nextAtMs(nowMs), ...ends].filter((atMs) => atMs !== null && atMs > nowMs).map(Number));
  }
  return { played, waited, escalations: [...runs.values()] };
}

function stepsUnderWay({ index, term }: LadderInput, run: Escalation): readonly StepOrder[] {
  return run.steps.flatMap(({ id, level, target, attempt, action, ended, term: own }) => {
    if (action === null || ended !== null || own !== term) return [];
    const timeoutMs = index.levelNamed.get(level)?.timeoutMs ?? 0;
    return [{ id, escalation: run.id, level, target, action, attempt, term, timeoutMs }];
  });
}
