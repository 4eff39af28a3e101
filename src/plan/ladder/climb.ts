import type { ApprovalRecord, Level, LevelAction, StepRecord } from "#model/ladder.ts";
import type { Target } from "#model/target.ts";
import { type Hold, holdOf, holdOfBudget, pauseOver, waitsForPeople } from "./guards.ts";
import { needOf } from "./needs.ts";
import { isBusy, type Pass, quietUntilMs, type Run, save, wait, wake } from "./pass.ts";
import { around, targetsInside } from "./places.ts";
import { holdOfPool, isHealthy, takeFromPool } from "./pool-guard.ts";
import { describeReason, type Reason } from "./reasons.ts";
import { askPeople, endRun, isActing, isStillNeeded, reachOf } from "./runs.ts";
import { newStep, orderOf, skippedStep } from "./step-order.ts";
import { retryAtMs } from "./steps.ts";
import { isMended, tendSteps } from "./tend.ts";
import { actionAt, remedyAt, triesOf } from "./tries.ts";
import { isToBeReplaced } from "./windows.ts";

/** Takes a begun run one change further. Rules 5 to 12. */
export function advanceRun(pass: Pass, run: Run): void {
  if (tendSteps(pass, run)) return;
  const { ladder, levelNamed } = pass.input.index;
  const level = levelNamed.get(run.at);
  if (level === undefined || run.stop !== null) {
    if (!isActing(run))
      endRun(pass, run, "stopped", run.stop === null ? { kind: "level-gone", level: run.at } : { kind: "stopped", by: run.stop.by });
    return;
  }
  const hasActed = run.steps.some(({ action }) => action !== null);
  if (!hasActed && !isStillNeeded(pass, run)) {
    endRun(pass, run, "recovered", { kind: "recovered", checks: run.failed.map(({ check }) => check) });
    return;
  }
  const wave = waveOf(pass, run, level);
  const failed = wave.find(({ state }) => state === "failed");
  if (failed !== undefined) {
    if (!wave.some(({ state }) => state === "busy")) failRun(pass, run, level, failed);
    return;
  }
  if (wave.every(({ state }) => state === "done")) {
    const next = ladder.levels[ladder.levels.indexOf(level) + 1];
    // Nothing was done and something still fails: the same run again would not find more to do.
    if (next === undefined && !hasActed) {
      askPeople(pass, run, { kind: "nothing-to-act-on", level: run.level, target: run.target });
      return;
    }
    if (next === undefined) {
      endRun(pass, run, "done", { kind: "done", steps: run.steps.filter(({ action }) => action !== null).length });
      return;
    }
    save(pass, { ...run, at: next.name }, { kind: "next-level", level: next.name });
    return;
  }
  if (!isToBeReplaced(pass, run)) startNext(pass, run, level, wave);
}

/** One target of the level that a run is at. */
interface Stand {
  readonly target: Target;
  readonly state: "waiting" | "busy" | "done" | "failed";
  /** Its attempts in this run, oldest first. */
  readonly attempts: readonly StepRecord[];
  readonly nextAttempt: number;
  /** What is to be done next; null unless it waits for that. */
  readonly action: LevelAction | null;
}

function waveOf(pass: Pass, run: Run, level: Level): readonly Stand[] {
  const own = Map.groupBy(
    run.steps.filter((step) => step.level === level.name),
    ({ target }) => target,
  );
  const { places } = pass.input.index;
  const ranThere = level.scope === "app" ? (run.ranThere ?? []).filter((app) => places.of.has(app)) : [];
  const targets = new Set([...targetsInside(places, run.target, level.scope), ...ranThere, ...own.keys()]);
  return [...targets].map((target) => {
    const attempts = own.get(target) ?? [];
    const last = attempts.at(-1);
    const nextAttempt = last === undefined ? (level.name === run.level ? run.firstAttempt : 1) : last.attempt + 1;
    if (last !== undefined && last.verdict?.kind !== "failed")
      return { target, state: attempts.some((step) => isUnderWay(pass, step)) ? "busy" : "done", attempts, nextAttempt, action: null };
    const action = actionAt(level, target, nextAttempt);
    return { target, state: action === null ? "failed" : "waiting", attempts, nextAttempt, action };
  });
}

/** Its quiet period counts as part of a step, however early it was known to be well. */
function isUnderWay(pass: Pass, step: StepRecord): boolean {
  wake(pass, quietUntilMs(pass, step));
  return step.verdict === null || isBusy(pass, step);
}

/** A step failed as often as it may: what comes after it does not run. The ladder says what then: one level wider, or people. */
function failRun(pass: Pass, run: Run, level: Level, { target, attempts, nextAttempt }: Stand): void {
  const why = attempts.at(-1)?.verdict?.reason ?? "";
  const reason: Reason = { kind: "level-failed", level: level.name, target, attempts: attempts.length, why };
  if (remedyAt(triesOf(level, target), nextAttempt).kind !== "wider") {
    askPeople(pass, run, reason);
    return;
  }
  // Something is half done, and no check would make another run begin: only a person can tell whether all is well.
  if (!run.failed.some(({ check }) => needOf(pass.input, pass.input.states.get(check)) !== null)) {
    askPeople(pass, run, { kind: "failed-but-quiet", level: level.name, target, why });
    return;
  }
  endRun(pass, run, "wider", reason);
}

function startNext(pass: Pass, run: Run, level: Level, wave: readonly Stand[]): void {
  const hold = holdOfRun(pass, run, level);
  if (hold === "changed") return;
  if (hold !== null) {
    wait(pass, run.target, hold.reason, hold.untilMs);
    return;
  }
  const { term, nowMs } = pass.input;
  const waiting = wave.flatMap(({ action, ...stand }) => (action === null ? [] : [{ ...stand, action }]));
  if (waiting.some((stand) => noteMended(pass, run, level, stand))) return;
  // What is broken first: a healthy machine is only acted on while enough others are healthy.
  const { true: healthy = [], false: broken = [] } = Object.groupBy(waiting, ({ target }) => `${isHealthy(pass, target)}` as const);
  const leftAlone = new Map(run.steps.flatMap((step) => (step.verdict?.kind === "skipped" ? [[step.target, step] as const] : [])));
  const added: { readonly step: StepRecord; readonly reason: Reason }[] = [];
  let isHeld = false;
  const skip = (target: Target, why: string) =>
    added.push({ step: skippedStep(run, level, target, why, term, nowMs), reason: { kind: "skipped", level: level.name, target, why } });
  for (const stand of [...broken, ...healthy]) {
    const { target, nextAttempt, action } = stand;
    const alone = whyLeftAlone(pass, leftAlone, target);
    if (alone !== null) {
      skip(target, describeReason(alone));
      continue;
    }
    const held = holdOfStep(pass, run, level, stand, isHeld);
    if (held?.skip === true) skip(target, describeReason(held.reason));
    else if (held !== null) {
      isHeld = true;
      wait(pass, target, held.reason, held.untilMs);
    } else {
      const step = newStep(run, level, target, nextAttempt, action, term, nowMs);
      added.push({ step, reason: { kind: "attempt", level: level.name, target, attempt: nextAttempt } });
      // From here on, so that the next target is weighed with it.
      noteStart(pass, step);
    }
  }
  const [first] = added;
  if (first === undefined) return;
  save(pass, { ...run, steps: [...run.steps, ...added.map(({ step }) => step)] }, first.reason);
  for (const { step, reason } of added)
    if (step.action !== null && !run.isDryRun) pass.actions.push({ kind: "start", step: orderOf(run, level, step, term), reason });
}

function noteStart(pass: Pass, step: StepRecord): void {
  takeFromPool(pass, step.target);
  pass.busy.add(step.target, step);
  pass.starts.push(step.startedAtMs);
}

/** What keeps the whole run from acting now; "changed" when asking or answering an approval changed the record. */
function holdOfRun(pass: Pass, run: Run, level: Level): Hold | null | "changed" {
  const reach = reachOf(pass, run);
  const hold = reach === null ? null : holdOf(pass, reach);
  if (hold !== null) return hold;
  return holdOfApproval(pass, run, level);
}

function holdOfApproval(pass: Pass, run: Run, level: Level): Hold | null | "changed" {
  if (level.approve === null) return null;
  const { nowMs } = pass.input;
  const { withinMs, otherwise } = level.approve;
  const asked = run.approvals.find((approval) => approval.level === level.name);
  if (asked === undefined) {
    const approval: ApprovalRecord = { level: level.name, askedAtMs: nowMs, expiresAtMs: nowMs + withinMs, decision: null };
    save(pass, { ...run, approvals: [...run.approvals, approval] }, { kind: "approval", level: level.name, untilMs: approval.expiresAtMs });
    return "changed";
  }
  if (asked.decision?.isApproved === true) return null;
  if (asked.decision !== null) {
    endRun(pass, run, "dropped", { kind: "refused", level: level.name, by: asked.decision.by });
    return "changed";
  }
  if (nowMs < asked.expiresAtMs)
    return { reason: { kind: "approval", level: level.name, untilMs: asked.expiresAtMs }, untilMs: asked.expiresAtMs };
  if (otherwise === "run") return null;
  const reason: Reason = { kind: "not-approved", level: level.name, withinMs };
  if (otherwise === "people") askPeople(pass, run, reason);
  else endRun(pass, run, "dropped", reason);
  return "changed";
}

/** A part of the run's target that is to be left alone: paused, with people, or inside of what a heavier level left alone. */
function whyLeftAlone(pass: Pass, leftAlone: ReadonlyMap<Target, StepRecord>, target: Target): Reason | null {
  const hold = pauseOver(pass, target) ?? waitsForPeople(pass, target);
  if (hold !== null) return hold.reason;
  for (const outer of around(pass.input.index.places, target)) {
    const above = leftAlone.get(outer);
    if (above !== undefined) return { kind: "skipped", level: above.level, target: above.target, why: above.verdict?.reason ?? "" };
  }
  return null;
}

/** Before an attempt is made again: what is well meanwhile is left alone. */
function noteMended(pass: Pass, run: Run, level: Level, { target, attempts }: Omit<Stand, "action">): boolean {
  const last = attempts.at(-1);
  if (last === undefined || !isMended(pass, run, level, last)) return false;
  const why = "it was well before the next attempt";
  const verdict = { atMs: pass.input.nowMs, kind: "mended", reason: `${last.verdict?.reason ?? ""}; ${why}` } as const;
  const steps = run.steps.map((step) => (step === last ? { ...last, verdict } : step));
  save(pass, { ...run, steps }, { kind: "verdict", verdict: "mended", level: level.name, target, why });
  return true;
}

/** What keeps one step from starting now; with `skip`, for good. */
function holdOfStep(
  pass: Pass,
  run: Run,
  level: Level,
  { target, attempts }: Omit<Stand, "action">,
  isHeld: boolean,
): (Hold & { readonly skip?: boolean }) | null {
  const { nowMs } = pass.input;
  if (attempts.length > 0) {
    const untilMs = retryAtMs(pass, level, attempts);
    if (nowMs < untilMs) return { reason: { kind: "retry", level: level.name, target, untilMs }, untilMs };
  }
  const [step] = pass.busy.touching(target);
  if (step !== undefined) {
    const untilMs = quietUntilMs(pass, step);
    const reason: Reason =
      step.ended === null
        ? { kind: "acting", level: step.level, target: step.target }
        : { kind: "quiet", level: step.level, target: step.target, untilMs };
    return { reason, untilMs };
  }
  const pool = holdOfPool(pass, target);
  if (pool !== null) return { ...pool, skip: pool.skip && !isHeld };
  return run.isDryRun ? null : budget(pass);
}

function budget(pass: Pass): Hold | null {
  const hold = holdOfBudget(pass);
  if (hold !== null) pass.notices.set("budget", describeReason(hold.reason));
  return hold;
}
