import type { CheckResult, Vantage } from "#model/check.ts";
import type { DroverError } from "#model/errors.ts";
import type { Ladder } from "#model/ladder.ts";
import type { CheckId, SpaceName } from "#model/names.ts";
import type { Target, Topology } from "#model/target.ts";
import { silentChecks } from "#plan/checks/expected-hours.ts";
import { freshMsOf } from "#plan/checks/fresh.ts";
import { indexLadder, type LadderIndex } from "#plan/ladder/index-ladder.ts";
import type { LadderInput } from "#plan/ladder/input.ts";
import type { Whereabouts } from "../pools/machine-places.ts";
import type { Assignment } from "./assign-checks.ts";
import { CheckBook } from "./check-book.ts";
import type { CheckRecords } from "./check-records.ts";

/** However short the intervals are, a probe gets this long before it counts as silent. */
const leastFreshMs = 5_000;

/** One space as its escalations see it: its ladder and topology, indexed, and what its checks say. */
export class SpaceScene {
  readonly space: SpaceName;
  readonly book: CheckBook;
  /** What who makes it found that it cannot be made. */
  readonly #impossible = new Map<CheckId, string>();
  /** What nobody can make. */
  #unassigned: ReadonlyMap<CheckId, string> = new Map();
  #key = "";
  #index: LadderIndex | null = null;
  #silent: LadderInput["silent"] = { checks: new Set(), untilMs: 0 };
  #startedAtMs: number;

  constructor(space: SpaceName, records: CheckRecords, nowMs: number) {
    this.space = space;
    this.book = new CheckBook(space, records);
    this.#startedAtMs = nowMs;
  }

  /** Takes the ladder, the topology, where its machines are, and who makes checks, as they are now. True if they are not as they were. */
  update(
    ladder: Ladder,
    topology: Topology,
    places: ReadonlyMap<Target, Whereabouts>,
    names: Readonly<Record<Vantage, readonly string[]>>,
  ): boolean {
    const key = JSON.stringify([ladder, topology, [...places], names]);
    if (key === this.#key) return false;
    this.#key = key;
    this.#index = indexLadder(ladder, topology);
    this.#silent = { checks: new Set(), untilMs: 0 };
    return true;
  }

  get index(): LadderIndex {
    if (this.#index === null) throw new Error("a scene is updated before it is used");
    return this.#index;
  }

  silent(nowMs: number): LadderInput["silent"] {
    const { untilMs } = this.#silent;
    if (untilMs !== null && nowMs >= untilMs) this.#silent = silentChecks(this.index.ladder.checks, nowMs);
    return this.#silent;
  }

  /** Tells the book what to expect, and from whom. */
  expect(assignment: Assignment, names: Readonly<Record<Vantage, readonly string[]>>, nowMs: number): void {
    const checks = new Map([...this.index.checks.values()].map(({ id, check }) => [id, check]));
    const isFromServer = assignment.server.length > 0 || assignment.judged.length > 0;
    const probes = new Set([
      ...(isFromServer ? names.server : []),
      ...(assignment.agent.length > 0 ? names.agent : []),
      ...(assignment.edge.length > 0 ? names.edge : []),
    ]);
    this.book.expect(checks, probes, nowMs);
    for (const id of this.#impossible.keys()) if (!checks.has(id)) this.#impossible.delete(id);
    this.#unassigned = new Map(assignment.impossible.map(({ check, why }) => [check.id, why]));
  }

  /** How old the newest result of a probe may be. */
  get freshMs(): number {
    const fresh = [...this.index.checks.values()].map(({ check }) => freshMsOf(check));
    return Math.max(leastFreshMs, fresh.length === 0 ? 0 : Math.min(...fresh));
  }

  /** Why a check cannot be made; null when it can. */
  impossible(check: CheckId): string | null {
    return this.#unassigned.get(check) ?? this.#impossible.get(check) ?? null;
  }

  /** True if something else is known now than before. */
  setImpossible(check: CheckId, error: DroverError | null): boolean {
    if (error === null) return this.#impossible.delete(check);
    const why = error.hint === "" ? error.message : `${error.message}. ${error.hint}`;
    if (this.#impossible.get(check) === why) return false;
    this.#impossible.set(check, why);
    return true;
  }

  add(result: CheckResult): boolean {
    this.#impossible.delete(result.check);
    return this.book.add(result, this.index.ladder.guards.suspectMonitor);
  }

  /**
   * Whether enough was heard since the server started to decide about what an earlier one began; else until when to wait at most.
   * Before that everything would look well, only because nobody has looked yet.
   */
  warmAtMs(checks: Iterable<CheckId>): number | null {
    let untilMs: number | null = null;
    for (const id of checks) {
      const known = this.index.checks.get(id);
      if (known === undefined || this.book.hasHeard(id) || this.impossible(id) !== null) continue;
      const { everyMs, timeoutMs } = known.check;
      untilMs = Math.max(untilMs ?? 0, this.#startedAtMs + 2 * everyMs + timeoutMs);
    }
    return untilMs;
  }
}
