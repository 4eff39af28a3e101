import { scopeOf, type Target } from "#model/target.ts";
import type { LadderInput } from "./input.ts";
import type { Reach } from "./needs.ts";
import { activeRuns, type Pass } from "./pass.ts";
import { contains } from "./places.ts";
import type { Reason } from "./reasons.ts";

/** Why nothing may act, and until when if that is known. */
export interface Hold {
  readonly reason: Reason;
  readonly untilMs: number | null;
}

const hourMs = 3_600_000;

/** Blind monitor: what it says is no ground to act on. Null when it sees. */
export function findBlindness({ monitor, nowMs }: LadderInput, wakes: number[]): Reason | null {
  const seeing = monitor.probes.filter(({ isSuspect, lastResultAtMs }) => !isSuspect && lastResultAtMs + monitor.freshMs > nowMs);
  for (const { lastResultAtMs } of seeing) wakes.push(lastResultAtMs + monitor.freshMs);
  if (!monitor.isNetworkUp) return { kind: "network-down" };
  const silent = monitor.probes.length - seeing.length;
  // Without any probe nothing was ever seen.
  return silent * 2 > monitor.probes.length || monitor.probes.length === 0 ? { kind: "blind", silent, of: monitor.probes.length } : null;
}

/**
 * Mass failure: more than so many machines, and more than such a share, turned failing within one window. It holds for as long as they fail,
 * or until a person acknowledges. Machines inside a wider run do not count: that run is why they fail, or is mending them.
 */
export function massFailure(pass: Pass): Reason | null {
  // It changes within a plan only with the runs, and is asked for every need.
  if (pass.mass === null || pass.mass.changes !== pass.changed.size)
    pass.mass = { changes: pass.changed.size, reason: findMassFailure(pass) };
  return pass.mass.reason;
}

function findMassFailure(pass: Pass): Reason | null {
  const { index, massAcknowledgedAtMs } = pass.input;
  const { share, count, withinMs } = index.ladder.guards.massFailure;
  const wider = activeRuns(pass).filter(({ target }) => ["space", "pool"].includes(scopeOf(target)));
  const since = new Map<Target, number>();
  for (const { check, state } of pass.needs) {
    if (scopeOf(check.target) !== "machine" || (massAcknowledgedAtMs !== null && state.sinceMs <= massAcknowledgedAtMs)) continue;
    if (wider.some(({ target }) => contains(index.places, target, check.target))) continue;
    since.set(check.target, Math.min(since.get(check.target) ?? Number.POSITIVE_INFINITY, state.sinceMs));
  }
  const times = [...since.values()].sort((a, b) => a - b);
  const machines = index.places.all.machine.length;
  let first = 0;
  let most = 0;
  for (const [last, atMs] of times.entries()) {
    while (atMs - (times[first] as number) > withinMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most > count && most > share * machines ? { kind: "mass-failure", failing: most, machines, withinMs } : null;
}

/** Whether a run of this reach may act at all: the monitor sees, nobody paused it, no people have to look first, no mass failure. */
export function holdOf(pass: Pass, reach: Reach): Hold | null {
  if (pass.blind !== null) return { reason: pass.blind, untilMs: null };
  const hold = pauseOver(pass, reach.target) ?? waitsForPeople(pass, reach.target);
  if (hold !== null) return hold;
  if (pass.input.index.ladder.levels[reach.level]?.scope !== "machine") return null;
  const mass = massFailure(pass);
  return mass === null ? null : { reason: mass, untilMs: null };
}

/** The pause that covers a target and lasts longest. */
export function pauseOver({ input }: Pass, target: Target): Hold | null {
  const over = input.pauses.filter(
    (pause) => pause.sinceMs <= input.nowMs && input.nowMs < pause.untilMs && contains(input.index.places, pause.target, target),
  );
  const last = over.toSorted((a, b) => b.untilMs - a.untilMs)[0];
  if (last === undefined) return null;
  return { reason: { kind: "paused", target: last.target, by: last.by, untilMs: last.untilMs }, untilMs: last.untilMs };
}

/** A run that covers this target and ended with people, who have not acknowledged. */
export function waitsForPeople(pass: Pass, target: Target): Hold | null {
  for (const run of pass.runs.values()) {
    if (run.outcome?.kind !== "people" || run.outcome.acknowledged !== null) continue;
    if (contains(pass.input.index.places, run.target, target))
      return { reason: { kind: "needs-human", target: run.target, escalation: run.id }, untilMs: null };
  }
  return null;
}

/** Budget: how many steps may start within an hour. */
export function holdOfBudget(pass: Pass): Hold | null {
  const { index, nowMs } = pass.input;
  const most = index.ladder.guards.actionsPerHour;
  const starts: number[] = [];
  for (const run of pass.runs.values())
    for (const { action, startedAtMs } of run.steps) if (action !== null && startedAtMs + hourMs > nowMs) starts.push(startedAtMs);
  if (starts.length < most) return null;
  const untilMs = (starts.sort((a, b) => a - b)[starts.length - most] ?? nowMs) + hourMs;
  return { reason: { kind: "budget", most, untilMs }, untilMs };
}
