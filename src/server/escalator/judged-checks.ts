import type { Finding } from "#checks/finding.ts";
import type { CheckResult } from "#model/check.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Measurement } from "#model/measurement.ts";
import { type AppName, appId, type CheckId, type SpaceName } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import { isSettledEarly, type Window } from "#plan/checks/window.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { JudgedCheck } from "./assign-checks.ts";
import { serverProbe } from "./server-probe.ts";

/** How exact the schedule is; finer would wake the loop more often than intervals of seconds need. */
const tickMs = 250;

export interface JudgedChecksOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly onResult: (space: SpaceName, result: CheckResult) => void;
  /** Machines of a pool that are known to be there. */
  readonly readyMachines: (space: SpaceName, pool: string) => number;
  /** A figure of the target over the last time, no earlier than it was mended; null while it is not known. */
  readonly measure: (space: SpaceName, target: Target, measurement: Measurement) => Measured | null;
}

export interface Measured {
  readonly value: number;
  /** Over which time. */
  readonly window: Window;
}

/** Checks that need no call: the server knows what is ready, who called in, and the figures. */
export class JudgedChecks {
  readonly #options: JudgedChecksOptions;
  readonly #signal: AbortSignal;
  readonly #spaces = new Map<SpaceName, readonly JudgedCheck[]>();
  readonly #due = new Map<string, number>();
  readonly #beats = new Map<string, number>();
  /** What was found last, by space and check. */
  readonly #found = new Map<string, boolean>();
  /** Spaces whose machines may be otherwise than when their pools were judged. */
  readonly #changed = new Set<SpaceName>();
  #running: Promise<void> | null = null;

  constructor(options: JudgedChecksOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  set(space: SpaceName, checks: readonly JudgedCheck[]): void {
    if (checks.length === 0) this.#spaces.delete(space);
    else this.#spaces.set(space, checks);
    const keys = new Set([...this.#spaces].flatMap(([name, own]) => own.map(({ id }) => `${name} ${id}`)));
    for (const key of this.#due.keys()) if (!keys.has(key)) this.#due.delete(key);
    for (const key of this.#beats.keys()) if (!keys.has(key)) this.#beats.delete(key);
    for (const key of this.#found.keys()) if (!keys.has(key)) this.#found.delete(key);
    // The time before the first call counts from when it was asked for.
    for (const key of keys) if (!this.#beats.has(key)) this.#beats.set(key, this.#options.clock.monotonicMs());
    if (this.#spaces.size > 0) this.#running ??= this.#run();
  }

  /** Machines of the space, or what their checks say, are otherwise than before: its pools are looked at without waiting for their intervals. */
  look(space: SpaceName): void {
    if (this.#spaces.has(space)) this.#changed.add(space);
  }

  /** How it is now; null when it is none of these, or when that is not known. */
  once(space: SpaceName, check: CheckId): Finding | null {
    const found = this.#spaces.get(space)?.find(({ id }) => id === check);
    return found === undefined ? null : this.#find(space, found);
  }

  /** Something called in. False when there is no such heartbeat. */
  beat(space: SpaceName, check: CheckId): boolean {
    const found = this.#spaces.get(space)?.find(({ id, check: { test } }) => id === check && test.kind === "heartbeat");
    if (found === undefined) return false;
    this.#beats.set(`${space} ${check}`, this.#options.clock.monotonicMs());
    this.#judge(space, found);
    return true;
  }

  async stopped(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#signal.aborted && this.#spaces.size > 0) {
      const nowMs = clock.monotonicMs();
      for (const [space, checks] of this.#spaces) {
        for (const check of checks) {
          const key = `${space} ${check.id}`;
          if ((this.#due.get(key) ?? 0) > nowMs && !this.#isOtherwise(space, check)) continue;
          this.#due.set(key, nowMs + check.check.everyMs);
          this.#judge(space, check);
        }
        this.#changed.delete(space);
      }
      await pause(clock, tickMs, this.#signal);
    }
    this.#running = null;
  }

  /**
   * Whether a pool passes now and failed before, or the other way round: that is told at once, so that what is decided is what people see of it. The
   * same once more has to wait for its interval, because failures in a row count.
   */
  #isOtherwise(space: SpaceName, judged: JudgedCheck): boolean {
    if (!this.#changed.has(space) || judged.check.test.kind !== "ready" || scopeOf(judged.target) !== "pool") return false;
    return this.#find(space, judged)?.isOk !== this.#found.get(`${space} ${judged.id}`);
  }

  #judge(space: SpaceName, judged: JudgedCheck): void {
    const { clock, onResult } = this.#options;
    const finding = this.#find(space, judged);
    // What is not known says nothing about the promise, for it or against it.
    if (finding === null) return;
    this.#found.set(`${space} ${judged.id}`, finding.isOk);
    onResult(space, { check: judged.id, probe: serverProbe, atMs: clock.nowMs(), ...finding });
  }

  #find(space: SpaceName, judged: JudgedCheck): Finding | null {
    const { test } = judged.check;
    if (test.kind === "absent") return { isOk: false, message: test.why };
    if (test.kind === "metric") return judgeMeasured(test, this.#options.measure(space, judged.target, test));
    return test.kind === "heartbeat" ? this.#heartbeat(space, judged) : this.#ready(space, judged);
  }

  #heartbeat(space: SpaceName, { id, check: { test } }: JudgedCheck) {
    const sinceMs = this.#options.clock.monotonicMs() - (this.#beats.get(`${space} ${id}`) ?? 0);
    const withinMs = test.kind === "heartbeat" ? test.withinMs : 0;
    const seconds = Math.round(sinceMs / 1_000);
    return { isOk: sinceMs <= withinMs, message: `last call ${seconds} s ago, wanted every ${withinMs / 1_000} s` };
  }

  #ready(space: SpaceName, { target, check: { test } }: JudgedCheck) {
    const least = test.kind === "ready" ? test.least : 0;
    const { fleet, readyMachines } = this.#options;
    const workloads = scopeOf(target) === "app" ? fleet.workloads(appId(space, nameOf(target) as AppName)) : [];
    const ready =
      scopeOf(target) === "app"
        ? workloads
            .filter(({ kind }) => kind === "service")
            .flatMap(({ instances }) => [...instances.values()])
            .filter(isReady).length
        : readyMachines(space, nameOf(target));
    return { isOk: ready >= least, message: `${ready} ready, wanted at least ${least}` };
  }
}

/** What a figure means for the condition on it. */
function judgeMeasured(test: Extract<JudgedCheck["check"]["test"], { kind: "metric" }>, measured: Measured | null): Finding | null {
  if (measured === null) return null;
  const { value, window } = measured;
  const isOk = test.is === "above" ? value <= test.value : value >= test.value;
  const what = test.of === null ? test.metric : `${test.metric} by ${test.of}`;
  const wanted = `wanted ${test.is === "above" ? "at most" : "at least"} ${test.value}`;
  const found = `${what} is ${Number(value.toPrecision(4))} over ${formatDuration(window.toMs - window.fromMs)}`;
  return window.isWhole || isSettledEarly(test, test.is, isOk) ? { isOk, message: `${found}, ${wanted}` } : null;
}
