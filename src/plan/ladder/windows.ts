import type { Escalation } from "#model/ladder.ts";
import type { EscalationId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import { holdOf } from "./guards.ts";
import { asFailed, covers, type Need, needsIn, type Reach } from "./needs.ts";
import { activeRuns, busySteps, type Pass, quietUntilMs, save, settlingRuns, wait } from "./pass.ts";
import { contains, touches } from "./places.ts";
import type { Reason } from "./reasons.ts";
import { absorbRun, askPeople, endRun, freeAtMs, isBegun, type Run, reachOf } from "./runs.ts";
import { chooseLevel } from "./tries.ts";

/** More at once would be no help to anybody; what is left out opens as others end. */
const mostOpenRuns = 200;

/** Rules 2 to 4 and 7: opens settle windows, closes those whose need is gone, and begins the runs of those that are over. */
export function tendWindows(pass: Pass): void {
  for (const window of settlingRuns(pass)) tendWindow(pass, window);
  const { nowMs, index } = pass.input;
  const over = settlingRuns(pass).filter(({ id, settleUntilMs }) => settleUntilMs <= nowMs && !pass.changed.has(id));
  const waiting: Need[] = [];
  for (const need of needsAround(pass, over)) {
    // What is more fundamental goes first, also when it cannot go yet.
    const first = waiting.find(({ target }) => touches(index.places, target, need.target));
    if (first !== undefined) wait(pass, need.target, { kind: "waits-for-level", target: first.target, check: first.check.id }, null);
    else if (beginRun(pass, need, over) === "waits") waiting.push(need);
  }
  openWindows(pass);
}

function tendWindow(pass: Pass, window: Escalation): void {
  const own = ownNeeds(pass, window);
  const isOver = window.settleUntilMs <= pass.input.nowMs;
  if (!isOver) pass.wakes.push(window.settleUntilMs);
  const [most] = own;
  if (most === undefined) {
    if (isOver) endRun(pass, window, "recovered", { kind: "recovered", checks: window.failed.map(({ check }) => check) });
    return;
  }
  const hold = own.every((need) => holdOf(pass, need) !== null) ? holdOf(pass, most) : null;
  if (hold !== null) {
    endRun(pass, window, "held", hold.reason);
    return;
  }
  const by = activeRuns(pass)
    .filter(isBegun)
    .find((run) => own.every((need) => isCovered(pass, run, need)));
  if (by !== undefined) {
    absorbRun(pass, window, by);
    return;
  }
  if (!isOver)
    wait(pass, window.target, { kind: "settling", checks: own.map(({ check }) => check.id), untilMs: window.settleUntilMs }, null);
}

function ownNeeds(pass: Pass, window: Escalation): readonly Need[] {
  return pass.needs.filter(({ target }) => target === window.target);
}

function isCovered(pass: Pass, run: Run, need: Need): boolean {
  const reach = reachOf(pass, run);
  return reach !== null && covers(pass.input.index.places, reach, need);
}

/** The most fundamental need of each target where a window is over and nothing holds it. */
function needsAround(pass: Pass, over: readonly Escalation[]): readonly Need[] {
  const { places } = pass.input.index;
  const seen = new Set<Target>();
  return pass.needs.filter((need) => {
    if (seen.has(need.target) || !over.some(({ target }) => touches(places, target, need.target)) || holdOf(pass, need) !== null)
      return false;
    seen.add(need.target);
    return true;
  });
}

/** Begins the run that a need asks for, unless something that is under way does it, or has to end first. */
function beginRun(pass: Pass, need: Need, over: readonly Escalation[]): "waits" | null {
  const { places, ladder } = pass.input.index;
  const begun = activeRuns(pass).filter(isBegun);
  if (begun.some((run) => isCovered(pass, run, need))) return null;
  const window = settlingRuns(pass).find(({ target }) => target === need.target);
  if (window === undefined || pass.changed.has(window.id)) return "waits";
  const choice = chooseLevel(pass, need);
  if (choice.kind === "people") {
    askPeople(pass, { ...window, failed: [asFailed(need)] }, { kind: "tried-in-vain", check: need.check.id, tried: choice.tried });
    return null;
  }
  const hold = holdOf(pass, choice);
  if (hold !== null) {
    wait(pass, choice.target, hold.reason, hold.untilMs);
    return null;
  }
  const touched = begun.filter((run) => touches(places, run.target, choice.target));
  for (const run of touched) {
    const reach = reachOf(pass, run);
    const freeMs = freeAtMs(pass, run);
    const isFree = freeMs !== null && freeMs <= pass.input.nowMs && !pass.changed.has(run.id);
    if (reach !== null && covers(places, choice, reach) && isFree) continue;
    wait(pass, choice.target, { kind: "waits-for-run", escalation: run.id, target: run.target }, freeMs);
    return "waits";
  }
  const failed = needsIn(places, choice.target, pass.needs).map(asFailed);
  const level = ladder.levels[choice.level]?.name ?? "";
  const run: Run = {
    ...window,
    target: choice.target,
    begunAtMs: pass.input.nowMs,
    level,
    at: level,
    firstAttempt: choice.attempt,
    failed,
  };
  // First the end of what it replaces: a server that dies in between must not leave two runs.
  for (const other of touched) absorbRun(pass, other, run);
  save(pass, run, { kind: "begun", level, target: choice.target, checks: failed.map(({ check }) => check), attempt: choice.attempt });
  for (const other of over) {
    const own = ownNeeds(pass, other);
    if (!pass.changed.has(other.id) && own.length > 0 && own.every((one) => isCovered(pass, run, one))) absorbRun(pass, other, run);
  }
  return null;
}

/** A failing check that nothing under way answers opens a settle window for the target that a run would cover. */
function openWindows(pass: Pass): void {
  const { index, nowMs } = pass.input;
  const open = [...pass.runs.values()].filter(({ outcome }) => outcome === null);
  const windows = new Set(settlingRuns(pass).map(({ target }) => target));
  const reaches: Reach[] = open.filter(isBegun).flatMap((run) => reachOf(pass, run) ?? []);
  const busy = busySteps(pass);
  const seen = new Set<Target>();
  const byTarget = Map.groupBy(pass.needs, ({ target }) => target);
  let count = open.length;
  // Needs come most fundamental first, so what covers another one is there before it.
  for (const need of pass.needs) {
    if (seen.has(need.target) || reaches.some((reach) => covers(index.places, reach, need))) continue;
    const hold = holdOf(pass, need);
    if (hold !== null) {
      wait(pass, need.target, hold.reason, hold.untilMs);
      continue;
    }
    seen.add(need.target);
    reaches.push(need);
    if (windows.has(need.target)) continue;
    // A failure under a step or in its quiet period is recorded only; it counts when it still is there afterwards.
    const step = busy.find((one) => contains(index.places, one.step.target, need.target))?.step;
    if (step !== undefined) {
      const untilMs = quietUntilMs(pass, step);
      if (untilMs !== null) pass.wakes.push(untilMs);
      continue;
    }
    if (count >= mostOpenRuns) {
      wait(pass, need.target, { kind: "too-many-runs", most: mostOpenRuns }, null);
      return;
    }
    const checks = byTarget.get(need.target) ?? [];
    const settleUntilMs = nowMs + index.ladder.settleMs;
    count++;
    const reason: Reason = { kind: "settling", checks: checks.map(({ check }) => check.id), untilMs: settleUntilMs };
    save(pass, newWindow(pass, need.target, checks, settleUntilMs), reason);
  }
}

function newWindow({ input, runs }: Pass, target: Target, checks: readonly Need[], settleUntilMs: number): Escalation {
  const { nowMs, isDryRun } = input;
  // The same target can have had a window at this very millisecond that was closed at once.
  let id = `${target}@${nowMs}${isDryRun ? "-dry" : ""}` as EscalationId;
  while (runs.has(id)) id = `${id}-again` as EscalationId;
  return {
    id,
    target,
    openedAtMs: nowMs,
    settleUntilMs,
    isDryRun,
    begunAtMs: null,
    level: null,
    at: null,
    firstAttempt: 1,
    failed: checks.map(asFailed),
    approvals: [],
    steps: [],
    stop: null,
    outcome: null,
  };
}
