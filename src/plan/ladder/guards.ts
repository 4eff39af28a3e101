import type { Pause } from "#model/ladder.ts";
import type { Target } from "#model/target.ts";
import type { LadderInput } from "./input.ts";
import type { Reach, Trouble } from "./needs.ts";
import { isWide, type Pass, underWay } from "./pass.ts";
import { around } from "./places.ts";
import type { Reason } from "./reasons.ts";

/** Why nothing may act, and until when: infinite if nobody knows. */
export interface Hold {
  readonly reason: Reason;
  readonly untilMs: number;
}

const unknownMs = Number.POSITIVE_INFINITY;

/** A budget counts the steps of so long. */
export const budgetMs = 3_600_000;

/** Blind monitor: what it says is no ground to act on. Null when it sees. */
export function findBlindness({ monitor, nowMs }: LadderInput, wake: (atMs: number) => void): Reason | null {
  const seeing = monitor.probes.filter(({ isSuspect, lastResultAtMs }) => !isSuspect && lastResultAtMs + monitor.freshMs > nowMs);
  for (const { lastResultAtMs } of seeing) wake(lastResultAtMs + monitor.freshMs);
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
  if (pass.mass === undefined) pass.mass = findMassFailure(pass);
  return pass.mass;
}

/** A machine that fails, and since when. */
export interface MachineFailure {
  readonly machine: Target;
  readonly sinceMs: number;
}

/** Every machine that fails and that no person has acknowledged, the one that failed first before the others. */
export function findMachineFailures({ massAcknowledgedAtMs }: LadderInput, troubles: readonly Trouble[]): readonly MachineFailure[] {
  const since = new Map<Target, number>();
  for (const { needs } of troubles)
    for (const { check, state } of needs) {
      if (check.check.each !== "machine" || (massAcknowledgedAtMs !== null && state.sinceMs <= massAcknowledgedAtMs)) continue;
      since.set(check.target, Math.min(state.sinceMs, since.get(check.target) ?? state.sinceMs));
    }
  return [...since].map(([machine, sinceMs]) => ({ machine, sinceMs })).sort((a, b) => a.sinceMs - b.sinceMs);
}

function findMassFailure(pass: Pass): Reason | null {
  const { places, ladder, machines } = pass.input.index;
  const { share, count, withinMs } = ladder.guards.massFailure;
  const begun = underWay(pass, pass.begun.below("space")).map(({ target }) => target);
  const wider = new Set(begun.filter(isWide));
  const times = pass.failing.filter(({ machine }) => around(places, machine).isDisjointFrom(wider)).map(({ sinceMs }) => sinceMs);
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
  if (pass.blind !== null) return { reason: pass.blind, untilMs: unknownMs };
  const hold = pauseOver(pass, reach.target) ?? waitsForPeople(pass, reach.target);
  if (hold !== null) return hold;
  if (pass.input.index.ladder.levels[reach.level]?.scope !== "machine") return null;
  const mass = massFailure(pass);
  return mass === null ? null : { reason: mass, untilMs: unknownMs };
}

/** The pause that covers a target and lasts longest. */
export function pauseOver({ input }: Pass, target: Target): Hold | null {
  const outer = around(input.index.places, target);
  let last: Pause | null = null;
  for (const pause of input.pauses) {
    if (pause.sinceMs > input.nowMs || input.nowMs >= pause.untilMs || !outer.has(pause.target)) continue;
    if (last === null || pause.untilMs > last.untilMs) last = pause;
  }
  return last === null
    ? null
    : { reason: { kind: "paused", target: last.target, by: last.by, untilMs: last.untilMs }, untilMs: last.untilMs };
}

/** A run that covers this target and ended with people, who have not acknowledged. */
export function waitsForPeople(pass: Pass, target: Target): Hold | null {
  for (const outer of around(pass.input.index.places, target)) {
    const run = pass.people.get(outer);
    if (run !== undefined) return { reason: { kind: "needs-human", target: run.target, escalation: run.id }, untilMs: unknownMs };
  }
  return null;
}

/** Budget: how many steps may start within an hour. */
export function holdOfBudget({ input, starts }: Pass): Hold | null {
  const most = input.index.ladder.guards.actionsPerHour;
  if (starts.length < most) return null;
  const untilMs = (starts[starts.length - most] ?? input.nowMs) + budgetMs;
  return { reason: { kind: "budget", most, untilMs }, untilMs };
}
