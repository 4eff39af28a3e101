import type { Level, LevelAction, StepRecord } from "#model/ladder.ts";
import type { StepId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { StepOrder } from "./input.ts";
import type { Run } from "./pass.ts";

/** The record of an attempt that starts now. A dry run's has ended well at once: nothing is done. */
export function newStep(
  run: Run,
  level: Level,
  target: Target,
  attempt: number,
  action: LevelAction,
  term: number,
  nowMs: number,
): StepRecord {
  return {
    id: `${run.id}/${level.name}/${target}/${attempt}` as StepId,
    level: level.name,
    target,
    attempt,
    action,
    startedAtMs: nowMs,
    term,
    interruptions: 0,
    isKilled: false,
    ended: run.isDryRun ? { atMs: nowMs, result: "ok", exitCode: null, output: "" } : null,
    verdict: null,
  };
}

export function skippedStep(run: Run, level: Level, target: Target, reason: string, term: number, nowMs: number): StepRecord {
  return {
    id: `${run.id}/${level.name}/${target}/0` as StepId,
    level: level.name,
    target,
    attempt: 0,
    action: null,
    startedAtMs: nowMs,
    term,
    interruptions: 0,
    isKilled: false,
    ended: null,
    verdict: { atMs: nowMs, kind: "skipped", reason },
  };
}

export function orderOf(run: Run, level: Level, step: StepRecord & { action: LevelAction | null }, term: number): StepOrder {
  return {
    id: step.id,
    escalation: run.id,
    level: level.name,
    target: step.target,
    action: step.action as LevelAction,
    attempt: step.attempt,
    term,
    timeoutMs: level.timeoutMs,
  };
}
