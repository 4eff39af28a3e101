import type { CheckState } from "#model/check.ts";
import type { FailedCheck } from "#model/ladder.ts";
import { rankOf, type Target } from "#model/target.ts";
import type { IndexedCheck } from "./index-ladder.ts";
import type { LadderInput } from "./input.ts";
import { contains, type Places, touches } from "./places.ts";

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
}

/**
 * What fails and asks for something: inside its expected hours, with a result that is fresh. Most fundamental first, then widest, then by name.
 * @param wakes gets the times at which one of them stops being fresh.
 */
export function findNeeds({ index, states, silent, nowMs }: LadderInput, wakes: number[]): readonly Need[] {
  const needs: Need[] = [];
  for (const state of states.values()) {
    if (state.verdict !== "failing") continue;
    const check = index.checks.get(state.id);
    if (check === undefined || check.asks === null || silent.checks.has(check.check.name)) continue;
    const staleAtMs = state.atMs + check.freshMs;
    if (staleAtMs <= nowMs) continue;
    wakes.push(staleAtMs);
    needs.push({ check, state, ...check.asks });
  }
  return needs.sort(
    (a, b) => a.level - b.level || rankOf(a.target) - rankOf(b.target) || compare(a.target, b.target) || compare(a.check.id, b.check.id),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a run from `outer` does everything that one from `inner` would. */
export function covers(places: Places, outer: Reach, inner: Reach): boolean {
  if (outer.level > inner.level || rankOf(outer.target) > rankOf(inner.target)) return false;
  return rankOf(outer.target) === rankOf(inner.target) ? outer.target === inner.target : touches(places, outer.target, inner.target);
}

/** The part of `needs` that lies in a run's target or runs there. */
export function needsIn(places: Places, target: Target, needs: readonly Need[]): readonly Need[] {
  return needs.filter(
    (need) =>
      need.target === target ||
      contains(places, target, need.target) ||
      (rankOf(target) < rankOf(need.target) && touches(places, target, need.target)),
  );
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
