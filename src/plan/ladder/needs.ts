import type { CheckState } from "#model/check.ts";
import type { FailedCheck } from "#model/ladder.ts";
import type { Target } from "#model/target.ts";
import type { IndexedCheck } from "./index-ladder.ts";
import type { LadderInput } from "./input.ts";
import { above, type Places, targetsInside } from "./places.ts";

/** A target, and a level from which it has to be mended. */
export interface Reach {
  readonly target: Target;
  /** Index of the level. */
  readonly level: number;
}

/** A failing check that asks for a level now. */
export interface Need extends Reach {
  readonly check: IndexedCheck;
  readonly state: CheckState;
  /** Its place among all needs: the smaller, the more fundamental. */
  readonly order: number;
}

/** All that fails and asks for a run on the same target. */
export interface Trouble {
  readonly target: Target;
  readonly most: Need;
  /** Most fundamental first: `most` and the others. */
  readonly needs: readonly Need[];
}

/**
 * What fails and asks for something: inside its expected hours, with a result that is fresh. Most fundamental first, then widest, then by name.
 * @param wake gets the times at which one of them stops being fresh.
 */
export function findTroubles(input: LadderInput, wake: (atMs: number) => void): readonly Trouble[] {
  const at = new Map<Target, [Need, ...Need[]]>();
  for (const state of input.states.values()) {
    const need = needOf(input, state);
    if (need === null) continue;
    wake(state.atMs + need.check.freshMs);
    const known = at.get(need.target);
    if (known === undefined) at.set(need.target, [need]);
    else known.push(need);
  }
  const troubles = [...at].map(([target, found]): Trouble => {
    const needs = found.sort((a, b) => a.order - b.order);
    return { target, most: found[0], needs };
  });
  return troubles.sort((a, b) => a.most.order - b.most.order);
}

/** What the state of a check asks for now; null if that is nothing. */
export function needOf({ index, silent, nowMs }: LadderInput, state: CheckState | undefined): Need | null {
  if (state?.verdict !== "failing") return null;
  const check = index.checks.get(state.id);
  if (check === undefined || check.asks === null || silent.checks.has(check.check.name)) return null;
  if (state.atMs + check.freshMs <= nowMs) return null;
  const { target, level, order } = check.asks;
  return { check, state, target, level, order };
}

/** When what a need rests on was seen: a count of machines that are ready is as old as the oldest failure at one of them that still is fresh. */
export function seenAtMs({ index, states, nowMs }: LadderInput, { check, state }: Need): number {
  if (check.check.test.kind !== "ready") return state.atMs;
  const counted = targetsInside(index.places, check.target, "machine").flatMap((machine) => index.checksAt.get(machine) ?? []);
  const seen = counted.flatMap(({ id, freshMs }) => {
    const own = states.get(id);
    return own?.verdict === "failing" && own.atMs + freshMs > nowMs ? own.atMs : [];
  });
  return Math.min(state.atMs, ...seen);
}

/** Whether a run from `outer` does everything that one from `inner` would. */
export function covers(places: Places, outer: Reach, inner: Reach): boolean {
  return outer.level <= inner.level && above(places, inner.target).has(outer.target);
}

export function asFailed(need: Need): FailedCheck {
  return {
    check: need.check.id,
    target: need.check.target,
    level: need.check.check.level ?? "",
    sinceMs: need.state.sinceMs,
    message: need.state.message,
  };
}
