import type { Escalation } from "#model/ladder.ts";
import type { EscalationId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import { holdOf } from "./guards.ts";
import { asFailed, covers, type Need, type Reach, seenAtMs } from "./needs.ts";
import { type Pass, type Run, save, underWay, wait, wake, windowAt } from "./pass.ts";
import { Placed } from "./placed.ts";
import { above, around, targetsInside } from "./places.ts";
import { absorbRun, askPeople, endRun, freeAtMs, reachOf } from "./runs.ts";
import { chooseLevel } from "./tries.ts";

/** More at once would be no help to anybody; what is left out opens as others end. */
const mostOpenRuns = 200;

/** Rules 2 to 4 and 7: opens settle windows, closes those whose need is gone, and begins the runs of those that are over. */
export function tendWindows(pass: Pass): void {
  const windows = [...pass.windows.keys()].flatMap((target) => windowAt(pass, target) ?? []);
  for (const window of windows) tendWindow(pass, window);
  beginRuns(
    pass,
    windows.filter((window) => isOver(pass, window)),
  );
  openWindows(pass);
}

function isOver(pass: Pass, { id, settleUntilMs }: Escalation): boolean {
  return settleUntilMs <= pass.input.nowMs && !pass.changed.has(id);
}

function tendWindow(pass: Pass, window: Escalation): void {
  const isLate = window.settleUntilMs <= pass.input.nowMs;
  wake(pass, window.settleUntilMs);
  const [own] = pass.troubleAt.at(window.target);
  if (own === undefined) {
    if (isLate) endRun(pass, window, "recovered", { kind: "recovered", checks: window.failed.map(({ check }) => check) });
    return;
  }
  const hold = own.needs.every((need) => holdOf(pass, need) !== null) ? holdOf(pass, own.most) : null;
  if (hold !== null) {
    endRun(pass, window, "held", hold.reason);
    return;
  }
  const by = runThatCovers(pass, own.most);
  if (by !== null) absorbRun(pass, window, by);
  else if (!isLate)
    wait(
      pass,
      window.target,
      { kind: "settling", checks: own.needs.map(({ check }) => check.id), untilMs: window.settleUntilMs },
      window.settleUntilMs,
    );
}

/** The run under way that does what this need asks for, and with it all that is lighter; null if none does. */
function runThatCovers(pass: Pass, need: Need): Run | null {
  return underWay(pass, pass.begun.above(need.target)).find((run) => isCovered(pass, run, need)) ?? null;
}

function isCovered(pass: Pass, run: Run, need: Need): boolean {
  const reach = reachOf(pass, run);
  return reach !== null && covers(pass.input.index.places, reach, need);
}

/** Begins a run for the most fundamental need, that nothing holds, of each target that a window which is over touches. */
function beginRuns(pass: Pass, over: readonly Escalation[]): void {
  const { places } = pass.input.index;
  // What is more fundamental goes first, also when it cannot go yet: what it touches waits for it.
  const first = new Placed<Need>(places);
  const near = new Set(over.flatMap(({ target }) => [...pass.troubleAt.touching(target)]));
  for (const trouble of pass.troubles) {
    if (!near.has(trouble)) continue;
    const need = trouble.needs.find((one) => holdOf(pass, one) === null);
    if (need === undefined) continue;
    const [before] = first.touching(need.target);
    if (before !== undefined)
      wait(pass, need.target, { kind: "waits-for-level", target: before.target, check: before.check.id }, Number.POSITIVE_INFINITY);
    else if (beginRun(pass, need) === "waits") first.add(need.target, need);
  }
}

/**
 * Whether a wider run takes over from this one as soon as nothing of it acts, so that it starts nothing more. Only if nothing else keeps that run from
 * beginning: else both would wait.
 */
export function isToBeReplaced(pass: Pass, run: Run): boolean {
  const { places } = pass.input.index;
  return pass.troubleAt.above(run.target).some(({ target, needs }) => {
    const window = windowAt(pass, target);
    const need = needs.find((one) => holdOf(pass, one) === null);
    if (window === null || !isOver(pass, window) || need === undefined || runThatCovers(pass, need) !== null) return false;
    const choice = chooseLevel(pass, need);
    if (choice.kind === "people" || holdOf(pass, choice) !== null) return false;
    return underWay(pass, pass.begun.touching(choice.target)).every((other) => {
      const reach = reachOf(pass, other);
      return reach !== null && covers(places, choice, reach);
    });
  });
}

/** Begins the run that a need asks for, unless something that is under way does it, or has to end first. */
function beginRun(pass: Pass, need: Need): "waits" | null {
  const { places, ladder } = pass.input.index;
  if (runThatCovers(pass, need) !== null) return null;
  const window = windowAt(pass, need.target);
  if (window === null || pass.changed.has(window.id)) return "waits";
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
  const touched = underWay(pass, pass.begun.touching(choice.target));
  for (const run of touched) {
    const reach = reachOf(pass, run);
    const freeMs = freeAtMs(pass, run);
    const isFree = freeMs <= pass.input.nowMs && !pass.changed.has(run.id);
    if (reach !== null && covers(places, choice, reach) && isFree) continue;
    wait(pass, choice.target, { kind: "waits-for-run", escalation: run.id, target: run.target }, freeMs);
    return "waits";
  }
  const failed = pass.troubleAt.below(choice.target).flatMap(({ needs }) => needs.map(asFailed));
  const level = ladder.levels[choice.level]?.name ?? "";
  const run: Run = {
    ...window,
    target: choice.target,
    begunAtMs: pass.input.nowMs,
    level,
    at: level,
    firstAttempt: choice.attempt,
    ...(choice.target === "space" ? {} : { ranThere: targetsInside(places, choice.target, "app") }),
    failed,
    outcome: null,
  };
  // First the end of what it replaces: a server that dies in between must not leave two runs.
  for (const other of touched) absorbRun(pass, other, run);
  save(pass, run, { kind: "begun", level, target: choice.target, checks: failed.map(({ check }) => check), attempt: choice.attempt });
  for (const { target, most } of pass.troubleAt.below(choice.target)) {
    const other = windowAt(pass, target);
    if (other !== null && isOver(pass, other) && isCovered(pass, run, most)) absorbRun(pass, other, run);
  }
  return null;
}

/** A failing check that nothing under way answers opens a settle window for the target that a run would cover. */
function openWindows(pass: Pass): void {
  const { places } = pass.input.index;
  // The most fundamental level from which each target is mended already, or will be.
  const mendedFrom = new Map<Target, number>();
  const mend = ({ target, level }: Reach) => mendedFrom.set(target, Math.min(level, mendedFrom.get(target) ?? level));
  const open = [...pass.runs.values()].filter(({ outcome }) => outcome === null);
  for (const run of open) {
    const reach = reachOf(pass, run);
    if (reach !== null) mend(reach);
  }
  let count = open.length;
  // Troubles come most fundamental first, so what covers another one is there before it.
  for (const { target, needs } of pass.troubles) {
    const from = Math.min(...[...above(places, target)].map((outer) => mendedFrom.get(outer) ?? Number.POSITIVE_INFINITY));
    const own = needs.filter(({ level }) => level < from);
    const need = own.find((one) => holdOf(pass, one) === null);
    const [held] = own;
    if (need === undefined) {
      const hold = held === undefined ? null : holdOf(pass, held);
      if (hold !== null) wait(pass, target, hold.reason, hold.untilMs);
      continue;
    }
    mend(need);
    if (windowAt(pass, target) !== null || isQuiet(pass, target, needs)) continue;
    if (count >= mostOpenRuns) {
      wait(pass, target, { kind: "too-many-runs", most: mostOpenRuns }, Number.POSITIVE_INFINITY);
      return;
    }
    count++;
    const window = newWindow(pass, target, needs);
    save(pass, window, { kind: "settling", checks: needs.map(({ check }) => check.id), untilMs: window.settleUntilMs });
  }
}

/**
 * A failure under a step or in its quiet period is recorded only. It counts when it is still there afterwards, by a result from then: a check may
 * look more seldom than its level is quiet.
 */
function isQuiet(pass: Pass, target: Target, needs: readonly Need[]): boolean {
  const untilMs = Math.max(
    ...[...around(pass.input.index.places, target)].map((outer) => pass.quietUntilMs.get(outer) ?? Number.NEGATIVE_INFINITY),
  );
  wake(pass, untilMs);
  return untilMs > pass.input.nowMs || needs.every((need) => seenAtMs(pass.input, need) < untilMs);
}

function newWindow({ input, runs }: Pass, target: Target, needs: readonly Need[]): Escalation {
  const { nowMs, isDryRun, index } = input;
  // The same target can have had a window at this very millisecond that was closed at once.
  let id = `${target}@${nowMs}${isDryRun ? "-dry" : ""}` as EscalationId;
  while (runs.has(id)) id = `${id}-again` as EscalationId;
  return {
    id,
    target,
    openedAtMs: nowMs,
    settleUntilMs: nowMs + index.ladder.settleMs,
    isDryRun,
    begunAtMs: null,
    level: null,
    at: null,
    firstAttempt: 1,
    failed: needs.map(asFailed),
    approvals: [],
    steps: [],
    stop: null,
    outcome: null,
  };
}
