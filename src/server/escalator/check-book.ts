import type { Check, CheckResult, CheckState } from "#model/check.ts";
import type { CheckId, SpaceName } from "#model/names.ts";
import { foldResult, unknownState } from "#plan/checks/fold-result.ts";
import { findSuspects } from "#plan/checks/suspects.ts";
import type { CheckRecords } from "./check-records.ts";

/** What is known of a space's checks. Results are folded in as they come; what the last server knew is where it begins. */
export class CheckBook {
  readonly #space: SpaceName;
  readonly #records: CheckRecords;
  readonly #states = new Map<CheckId, CheckState>();
  readonly #checks = new Map<CheckId, Check>();
  /** Checks with a result in this process's time. */
  readonly #heard = new Set<CheckId>();
  /** When each probe last said something, or was first asked: a probe that was just asked is not silent. */
  readonly #probes = new Map<string, number>();
  #suspects: ReadonlySet<string> = new Set();

  constructor(space: SpaceName, records: CheckRecords) {
    this.#space = space;
    this.#records = records;
    for (const state of records.states(space)) this.#states.set(state.id, state);
  }

  get states(): ReadonlyMap<CheckId, CheckState> {
    return this.#states;
  }

  get probes(): readonly { readonly name: string; readonly lastResultAtMs: number; readonly isSuspect: boolean }[] {
    return [...this.#probes].map(([name, lastResultAtMs]) => ({ name, lastResultAtMs, isSuspect: this.#suspects.has(name) }));
  }

  hasHeard(check: CheckId): boolean {
    return this.#heard.has(check);
  }

  /** The checks that there are from now on, and who makes them. What is known of others is forgotten. */
  expect(checks: ReadonlyMap<CheckId, Check>, probes: ReadonlySet<string>, nowMs: number): void {
    for (const id of this.#states.keys()) {
      if (checks.has(id)) continue;
      this.#states.delete(id);
      this.#heard.delete(id);
      this.#records.forget(this.#space, id);
    }
    this.#checks.clear();
    for (const [id, check] of checks) {
      this.#checks.set(id, check);
      if (!this.#states.has(id)) this.#states.set(id, unknownState(id, nowMs));
    }
    for (const probe of this.#probes.keys()) if (!probes.has(probe)) this.#probes.delete(probe);
    for (const probe of probes) if (!this.#probes.has(probe)) this.#probes.set(probe, nowMs);
  }

  /** Folds one result in. True when a plan could come out differently for it. */
  add(result: CheckResult, suspectShare: number): boolean {
    const check = this.#checks.get(result.check);
    const before = this.#states.get(result.check);
    if (check === undefined || before === undefined || !this.#probes.has(result.probe)) return false;
    this.#probes.set(result.probe, result.atMs);
    const isFirst = !this.#heard.has(result.check);
    this.#heard.add(result.check);
    const { state, change } = foldResult(before, check, result, (probe) => this.#suspects.has(probe));
    this.#states.set(result.check, state);
    if (Object.keys(state.probes).length > 1) this.#suspects = findSuspects(this.#states.values(), suspectShare);
    // Of those that fail the time of the newest result counts too: after a restart it says whether they still may.
    if (change !== null || state.verdict === "failing") this.#records.keep(this.#space, state);
    if (change !== null) this.#records.changed(this.#space, change);
    return isFirst || change !== null || before.isPassing !== state.isPassing || state.verdict === "failing";
  }
}
