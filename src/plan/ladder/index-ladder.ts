import type { ExpandedCheck } from "#model/check.ts";
import type { Ladder } from "#model/ladder.ts";
import type { CheckId } from "#model/names.ts";
import type { Target, Topology } from "#model/target.ts";
import { expandChecks } from "../checks/expand.ts";
import { freshMsOf } from "../checks/fresh.ts";
import { arrangePlaces, type Places, widen } from "./places.ts";

export interface IndexedCheck extends ExpandedCheck {
  /** Index of the level that it asks for, and what a run for it covers; null: watched only. */
  readonly asks: { readonly level: number; readonly target: Target } | null;
  /** How old its newest result may be. */
  readonly freshMs: number;
}

/** Ladder, checks and topology, prepared so that a plan costs what fails and not what exists. */
export interface LadderIndex {
  readonly ladder: Ladder;
  readonly places: Places;
  readonly levels: ReadonlyMap<string, number>;
  readonly checks: ReadonlyMap<CheckId, IndexedCheck>;
  readonly checksAt: ReadonlyMap<Target, readonly IndexedCheck[]>;
}

export function indexLadder(ladder: Ladder, topology: Topology): LadderIndex {
  const places = arrangePlaces(topology);
  const levels = new Map(ladder.levels.map(({ name }, i) => [name, i]));
  const checks = expandChecks(ladder.checks, topology).map((expanded): IndexedCheck => {
    const level = levels.get(expanded.check.level ?? "");
    const scope = level === undefined ? undefined : ladder.levels[level]?.scope;
    const target = scope === undefined ? null : widen(places, expanded.target, scope);
    const asks = level === undefined || target === null ? null : { level, target };
    return { ...expanded, asks, freshMs: freshMsOf(expanded.check) };
  });
  return {
    ladder,
    places,
    levels,
    checks: new Map(checks.map((check) => [check.id, check])),
    checksAt: Map.groupBy(checks, ({ target }) => target),
  };
}
