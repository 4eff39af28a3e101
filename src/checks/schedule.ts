import type { CheckResult } from "#model/check.ts";
import type { ScheduledCheck } from "#model/check-orders.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { CheckId } from "#model/names.ts";
import { type CheckSurroundings, type Finding, failed } from "./finding.ts";
import { makeCheck } from "./make-check.ts";

export interface ScheduleOptions {
  /** Who makes the checks, as it stands in the results. */
  readonly probe: string;
  readonly resolve: CheckSurroundings["resolve"];
  readonly runCommand: CheckSurroundings["runCommand"];
  readonly countLogs: CheckSurroundings["countLogs"];
  readonly clock: Clock;
  readonly random: () => number;
  /** @param begunMs when the attempt began, on the clock that never jumps */
  readonly onResult: (result: CheckResult, begunMs: number) => void;
  /** A check says nothing because it cannot be made; null: it can be again. */
  readonly onImpossible: (check: CheckId, error: DroverError | null) => void;
}

/** Attempts under way at once: thousands that are due together must not open thousands of connections. */
const attemptsAtOnce = 256;
/** How exact the schedule is. Finer would wake the loop more often than intervals of seconds need. */
const tickMs = 50;
/** How long an attempt whose time is over may take to say so in its own words. */
const lateWordsMs = 200;

interface Entry {
  readonly scheduled: ScheduledCheck;
  dueAtMs: number;
  isUnderWay: boolean;
  isImpossible: boolean;
}

/**
 * Makes checks at their intervals, spread evenly by chance, until the signal aborts. A check that takes longer than its interval is made less often,
 * never twice at once.
 */
export class CheckSchedule {
  readonly #options: ScheduleOptions;
  readonly #entries = new Map<CheckId, Entry>();
  readonly #stop: AbortSignal;
  readonly #running: Promise<void>;
  #underWay = 0;
  /** Those that were due while as many as may be were under way, in order. */
  #waiting: Entry[] = [];

  constructor(options: ScheduleOptions, signal: AbortSignal) {
    this.#options = options;
    this.#stop = signal;
    this.#running = this.#run();
  }

  /** The checks to make from now on. One that stays as it was keeps its place in time. */
  set(checks: readonly ScheduledCheck[]): void {
    const { clock, random } = this.#options;
    const wanted = new Set(checks.map(({ id }) => id));
    for (const id of this.#entries.keys()) if (!wanted.has(id)) this.#entries.delete(id);
    for (const scheduled of checks) {
      const known = this.#entries.get(scheduled.id);
      if (known !== undefined && JSON.stringify(known.scheduled) === JSON.stringify(scheduled)) continue;
      const dueAtMs = clock.monotonicMs() + random() * Math.min(scheduled.everyMs, 1_000);
      this.#entries.set(scheduled.id, { scheduled, dueAtMs, isUnderWay: false, isImpossible: false });
    }
    this.#waiting = this.#waiting.filter((entry) => this.#isWanted(entry));
  }

  /** One attempt now, outside of the schedule. */
  async once(id: CheckId, signal: AbortSignal): Promise<Finding | null> {
    const entry = this.#entries.get(id);
    return entry === undefined ? null : this.#attempt(entry.scheduled, signal);
  }

  /** Resolves when the signal has aborted and nothing is under way any more. */
  async stopped(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const attempts = new Set<Promise<void>>();
    while (!this.#stop.aborted) {
      const nowMs = clock.monotonicMs();
      for (const entry of this.#entries.values()) {
        if (entry.dueAtMs > nowMs || entry.isUnderWay) continue;
        entry.isUnderWay = true;
        entry.dueAtMs = nowMs + entry.scheduled.everyMs * (0.9 + 0.2 * this.#options.random());
        this.#waiting.push(entry);
      }
      while (this.#waiting.length > 0 && this.#underWay < attemptsAtOnce) {
        const attempt = this.#make(this.#waiting.shift() as Entry).finally(() => attempts.delete(attempt));
        attempts.add(attempt);
      }
      await pause(clock, tickMs, this.#stop);
    }
    await Promise.allSettled(attempts);
  }

  async #make(entry: Entry): Promise<void> {
    const { clock, probe, onResult, onImpossible } = this.#options;
    const { scheduled } = entry;
    const [atMs, begunMs] = [clock.nowMs(), clock.monotonicMs()];
    this.#underWay++;
    try {
      const finding = await this.#attempt(scheduled, this.#stop);
      if (this.#stop.aborted || !this.#isWanted(entry)) return;
      if (entry.isImpossible) onImpossible(scheduled.id, null);
      entry.isImpossible = false;
      onResult({ check: scheduled.id, probe, atMs, ...finding }, begunMs);
    } catch (error) {
      // It says nothing yet, which is no fault of anybody.
      if (this.#stop.aborted || !this.#isWanted(entry) || hasCode(error, "CHECK_UNDECIDED")) return;
      entry.isImpossible = true;
      onImpossible(
        scheduled.id,
        error instanceof DroverError ? error : new DroverError("INTERNAL", `check "${scheduled.id}" broke off`, { cause: error }),
      );
    } finally {
      entry.isUnderWay = false;
      this.#underWay--;
    }
  }

  #isWanted(entry: Entry): boolean {
    return this.#entries.get(entry.scheduled.id) === entry;
  }

  /** One attempt within its time. What does not end by itself then is a failure, whatever it still does. */
  async #attempt({ test, target, address, timeoutMs }: ScheduledCheck, parent: AbortSignal): Promise<Finding> {
    const { resolve, runCommand, countLogs, clock } = this.#options;
    const late = new AbortController();
    const over = new AbortController();
    const signal = AbortSignal.any([parent, late.signal]);
    const untilOver = AbortSignal.any([parent, over.signal]);
    const giveUp = async (): Promise<Finding> => {
      await pause(clock, timeoutMs, untilOver);
      if (!untilOver.aborted) late.abort(new Error(`no end within ${timeoutMs} ms`));
      // The attempt says best itself what it waited for. A look-up of a name cannot be broken off, though.
      await pause(clock, lateWordsMs, untilOver);
      return failed("no answer in time");
    };
    const tooLate = giveUp();
    const attempt = makeCheck(test, { target, address, resolve, runCommand, countLogs, clock }, signal);
    try {
      return await Promise.race([attempt, tooLate]);
    } catch (error) {
      if (late.signal.aborted && !(error instanceof DroverError)) return failed("no answer in time");
      throw error;
    } finally {
      over.abort();
      await tooLate;
    }
  }
}
