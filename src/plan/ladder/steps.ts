import type { Level, StepEnd, StepRecord, StepVerdict } from "#model/ladder.ts";
import type { Target } from "#model/target.ts";
import type { IndexedCheck } from "./index-ladder.ts";
import { type Pass, quietUntilMs } from "./pass.ts";
import { around, targetsInside } from "./places.ts";

/** The longest pause between two attempts: an action that mends in the end must not wait for hours. */
const longestRetryMs = 600_000;

/** What becomes of an ended step: a verdict, or waiting until then. */
export type Judgement = { readonly verdict: StepVerdict } | { readonly untilMs: number; readonly waitsFor: "quiet" | "check" };

/**
 * Whether an ended step succeeded: its action exited well within its timeout, and, once its quiet period is over, its own check passes.
 * A failed action needs no check to be known as failed. A check that says nothing for as long as it stays fresh does not pass.
 */
export function judgeStep(pass: Pass, level: Level, step: StepRecord & { readonly ended: StepEnd }): Judgement {
  const { nowMs } = pass.input;
  const { ended } = step;
  if (ended.result !== "ok") return { verdict: { atMs: nowMs, kind: "failed", reason: describeEnd(ended) } };
  const quietMs = quietUntilMs(pass, step);
  if (nowMs < quietMs) return { untilMs: quietMs, waitsFor: "quiet" };
  // In a dry run nothing was done that could make it pass.
  const checks = pass.input.isDryRun ? [] : ownChecks(pass, level, step.target);
  const untilMs = quietMs + Math.max(...checks.map(({ freshMs }) => freshMs));
  for (const { id } of checks) {
    const state = pass.input.states.get(id);
    const isHeard = state !== undefined && state.atMs >= quietMs;
    if (isHeard && state.isPassing) continue;
    if (isHeard && state.verdict === "failing")
      return { verdict: { atMs: nowMs, kind: "failed", reason: `its check ${id} fails: ${state.message}` } };
    if (nowMs < untilMs) return { untilMs, waitsFor: "check" };
    return { verdict: { atMs: nowMs, kind: "failed", reason: `its check ${id} ${isHeard ? "did not pass" : "says nothing"}` } };
  }
  return {
    verdict: {
      atMs: nowMs,
      kind: "passed",
      reason: checks.length === 0 ? "its action exited well" : "its action exited well and its check passes",
    },
  };
}

function describeEnd({ result, exitCode }: StepEnd): string {
  if (result === "timed-out") return "its action took longer than its timeout";
  if (result === "killed") return "its action was ended";
  return exitCode === null ? "its action failed" : `its action exited with ${exitCode}`;
}

/** When a failed step may be tried again: after its quiet period, and after a pause that doubles with each attempt in this run. */
export function retryAtMs(pass: Pass, level: Level, failed: readonly StepRecord[]): number {
  const last = failed.at(-1) as StepRecord & { readonly verdict: StepVerdict };
  const pauseMs = Math.min(longestRetryMs, level.retryMs * 2 ** (failed.length - 1));
  return Math.max(quietUntilMs(pass, last), last.verdict.atMs + pauseMs);
}

/** Whether the level's own check passes at a target, by results newer than `sinceMs`; false without one. */
export function ownCheckPasses(pass: Pass, level: Level, target: Target, sinceMs: number): boolean {
  const checks = ownChecks(pass, level, target);
  return (
    checks.length > 0 &&
    checks.every(({ id }) => {
      const state = pass.input.states.get(id);
      return state?.isPassing && state.atMs > sinceMs;
    })
  );
}

/** Where the level's own check looks when it acted on `target`: there and at everything inside it; else at what is around it. None without one. */
function ownChecks(pass: Pass, level: Level, target: Target): readonly IndexedCheck[] {
  const { places, checksAt } = pass.input.index;
  const named = (at: Target) => (checksAt.get(at) ?? []).filter(({ check }) => check.name === level.check);
  const inside = (["pool", "machine", "app"] as const).flatMap((scope) => targetsInside(places, target, scope)).flatMap(named);
  if (inside.length > 0) return inside;
  return [...around(places, target)].flatMap(named);
}
