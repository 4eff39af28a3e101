import type { ExpandedCheck } from "#model/check.ts";
import type { Ladder, Level } from "#model/ladder.ts";
import type { CheckId } from "#model/names.ts";
import { rankOf, type Target, type Topology } from "#model/target.ts";
import { expandChecks } from "../checks/expand.ts";
import { freshMsOf } from "../checks/fresh.ts";
import { arrangePlaces, type Places, widen } from "./places.ts";

export interface IndexedCheck extends ExpandedCheck {
  /** What it asks for; null: watched only. */
  readonly asks: Asks | null;
  /** How old its newest result may be. */
  readonly freshMs: number;
}

export interface Asks {
  /** Index of the level. */
  readonly level: number;
  /** What a run for it covers. */
  readonly target: Target;
  /** Its place among all that ask: the most fundamental level first, then the widest target, then by name. */
  readonly order: number;
}

/** Ladder, checks and topology, prepared so that a plan costs what fails and not what exists. */
export interface LadderIndex {
  readonly ladder: Ladder;
  readonly places: Places;
  /** Place of each level in the ladder. */
  readonly levels: ReadonlyMap<string, number>;
  readonly levelNamed: ReadonlyMap<string, Level>;
  readonly checks: ReadonlyMap<CheckId, IndexedCheck>;
  readonly checksAt: ReadonlyMap<Target, readonly IndexedCheck[]>;
  /** How many there are. */
  readonly machines: number;
}

export function indexLadder(ladder: Ladder, topology: Topology): LadderIndex {
  const places = arrangePlaces(topology);
  const levels = new Map(ladder.levels.map(({ name }, i) => [name, i]));
  const expanded = expandChecks(ladder.checks, topology);
  const asking = expanded.flatMap(({ id, check, target: own }) => {
    const level = levels.get(check.level ?? "") ?? -1;
    const scope = ladder.levels[level]?.scope;
    const target = scope === undefined ? null : widen(places, own, scope);
    return target === null ? [] : [{ id, level, target }];
  });
  // As text, because text is put in order without a rule of its own; a ladder has fewer levels than there are characters.
  const byRank = new Map(asking.map((one) => [`${String.fromCharCode(one.level, rankOf(one.target))}${one.target} ${one.id}`, one]));
  const asks = new Map<CheckId, Asks>();
  for (const [order, key] of [...byRank.keys()].sort().entries()) {
    const one = byRank.get(key);
    if (one !== undefined) asks.set(one.id, { level: one.level, target: one.target, order });
  }
  const checks = expanded.map((one): IndexedCheck => ({ ...one, asks: asks.get(one.id) ?? null, freshMs: freshMsOf(one.check) }));
  return {
    ladder,
    places,
    levels,
    levelNamed: new Map(ladder.levels.map((level) => [level.name, level])),
    checks: new Map(checks.map((check) => [check.id, check])),
    checksAt: Map.groupBy(checks, ({ target }) => target),
    machines: topology.machines.length,
  };
}
