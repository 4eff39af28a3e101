import type { Clock } from "#model/clock.ts";
import type { MachineId } from "#model/names.ts";
import type { Reason } from "#model/workload.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Destination } from "./destinations.ts";

/** A receiver that restarts is back sooner; nobody has to be told of that. */
const holdMs = 30_000;
/** How long it is shown that lines were lost or refused. */
const shownMs = 24 * 3_600_000;
/** Between two events of that: a receiver that refuses some of each batch is one piece of news an hour, not ten a second. */
const restMs = 3_600_000;

export interface TroubleOptions {
  readonly destination: Destination;
  readonly events: Pick<EventLog, "append">;
  readonly clock: Clock;
}

/** What people have to know of a destination that does not take its lines, or not all. */
export class Trouble {
  readonly #options: TroubleOptions;
  #failing: { readonly sinceMs: number; readonly why: string; readonly retryAtMs: number; readonly isTold: boolean } | null = null;
  readonly #lost = { lines: 0, atMs: 0, toldAtMs: 0 };
  readonly #refused = { events: 0, atMs: 0, toldAtMs: 0, why: "" };

  constructor(options: TroubleOptions) {
    this.#options = options;
  }

  /** Since when it has taken nothing, and why; null: the latest batch was taken. */
  get failing(): { readonly sinceMs: number; readonly why: string; readonly retryAtMs: number } | null {
    return this.#failing;
  }

  get problems(): readonly Reason[] {
    const { space, name } = this.#options.destination;
    const nowMs = this.#options.clock.nowMs();
    const problems: Reason[] = [];
    if (this.#failing !== null && nowMs - this.#failing.sinceMs >= holdMs)
      problems.push({ code: "LOGS_NOT_TAKEN", message: `logs are not taken by "${name}" of space "${space}": ${this.#failing.why}` });
    if (nowMs - this.#lost.atMs < shownMs)
      problems.push({
        code: "LOGS_LOST",
        message: `${this.#lost.lines} lines were gone before they could be sent to "${name}" of space "${space}"`,
      });
    if (nowMs - this.#refused.atMs < shownMs)
      problems.push({
        code: "LOGS_REFUSED",
        message: `"${name}" of space "${space}" refused ${this.#refused.events} events: ${this.#refused.why}`,
      });
    return problems;
  }

  failed(why: string, pauseMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    const sinceMs = this.#failing?.sinceMs ?? nowMs;
    const isDue = this.#failing?.isTold === false && nowMs - sinceMs >= holdMs;
    const isTold = this.#failing?.isTold === true || isDue;
    this.#failing = { sinceMs, why, retryAtMs: nowMs + pauseMs, isTold };
    if (isDue) this.#say("logs.failing", `logs are not taken by "${this.#name}": ${why}`, { code: "LOGS_NOT_TAKEN", sinceMs });
  }

  succeeded(): void {
    const before = this.#failing;
    this.#failing = null;
    if (before?.isTold === true) this.#say("logs.well", `logs are taken by "${this.#name}" again`, { sinceMs: before.sinceMs });
  }

  lost(machine: MachineId, lines: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#lost.lines += lines;
    this.#lost.atMs = nowMs;
    if (nowMs - this.#lost.toldAtMs < restMs) return;
    this.#lost.toldAtMs = nowMs;
    const message = `${lines} lines of machine "${machine}" were gone before they could be sent to "${this.#name}"`;
    this.#say("logs.lost", message, { code: "LOGS_LOST", machine, lines });
  }

  refused(machine: MachineId, events: number, why: string): void {
    const nowMs = this.#options.clock.nowMs();
    this.#refused.events += events;
    this.#refused.atMs = nowMs;
    this.#refused.why = why;
    if (nowMs - this.#refused.toldAtMs < restMs) return;
    this.#refused.toldAtMs = nowMs;
    this.#say("logs.refused", `"${this.#name}" refused ${events} events: ${why}`, { code: "LOGS_REFUSED", machine, events });
  }

  get #name(): string {
    return this.#options.destination.name;
  }

  #say(kind: string, message: string, details: Readonly<Record<string, string | number>>): void {
    const { events, destination } = this.#options;
    events.append({ space: destination.space, subject: destination.name, kind, message, details });
  }
}
