import { createOutgoing } from "#host/outgoing.ts";
import type { CheckResult } from "#model/check.ts";
import type { CheckOrder, CheckReport } from "#model/check-orders.ts";
import type { Clock } from "#model/clock.ts";
import type { CheckId } from "#model/names.ts";
import type { Finding, RunCheckCommand } from "./finding.ts";
import { CheckSchedule } from "./schedule.ts";

/** Reports that wait for the server; the oldest go first, because a check says the same again soon. */
const mostWaiting = 10_000;

/** A report whose age is known when it is sent. */
type WaitingReport =
  | Exclude<CheckReport, { kind: "result" }>
  | { readonly kind: "result"; readonly result: CheckResult; readonly begunMs: number };

export interface OrderedChecksOptions {
  /** Who makes them, as it stands in the results. */
  readonly probe: string;
  readonly allowOutgoing: readonly string[];
  /** Null in an edge, which runs no commands of users. */
  readonly runCommand: RunCheckCommand | null;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The checks that the server gave this agent or edge to make. Without any, nothing runs. */
export class OrderedChecks {
  readonly #options: OrderedChecksOptions;
  readonly #signal: AbortSignal;
  #order: CheckOrder = { checks: [], edge: null, edgeHosts: [] };
  #hosts: ReadonlySet<string> = new Set();
  #running: { readonly schedule: CheckSchedule; readonly stop: AbortController } | null = null;
  #waiting: WaitingReport[] = [];
  #wake: (() => void) | null = null;

  constructor(options: OrderedChecksOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  set(order: CheckOrder): void {
    this.#order = order;
    this.#hosts = new Set(order.edgeHosts);
    if (order.checks.length === 0) {
      this.#running?.stop.abort();
      this.#running = null;
      return;
    }
    this.#running ??= this.#start();
    this.#running.schedule.set(order.checks);
  }

  /** One attempt now, outside of the schedule; null when it was not given this check. */
  async once(id: CheckId, signal: AbortSignal): Promise<Finding | null> {
    return (await this.#running?.schedule.once(id, signal)) ?? null;
  }

  /** What checks found, from now on. */
  async *reports(signal: AbortSignal): AsyncGenerator<CheckReport> {
    while (!signal.aborted) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const report of batch) yield this.#aged(report);
      if (this.#waiting.length > 0) continue;
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          this.#wake = null;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  #aged(report: WaitingReport): CheckReport {
    if (report.kind !== "result") return report;
    const { begunMs, ...sent } = report;
    return { ...sent, ageMs: Math.round(this.#options.clock.monotonicMs() - begunMs) };
  }

  #start() {
    const { probe, allowOutgoing, runCommand, clock, random } = this.#options;
    const stop = new AbortController();
    const outgoing = createOutgoing(allowOutgoing);
    const schedule = new CheckSchedule(
      {
        probe,
        resolve: async (host) => {
          const { edge } = this.#order;
          return edge !== null && this.#hosts.has(host) ? edge : outgoing(host);
        },
        runCommand,
        countLogs: null,
        clock,
        random,
        onResult: (result, begunMs) => this.#report({ kind: "result", result, begunMs }),
        onImpossible: (check, error) =>
          this.#report({
            kind: "impossible",
            check,
            why: error === null ? null : { code: error.code, message: error.message, hint: error.hint },
          }),
      },
      AbortSignal.any([stop.signal, this.#signal]),
    );
    return { schedule, stop };
  }

  #report(report: WaitingReport): void {
    this.#waiting.push(report);
    if (this.#waiting.length > mostWaiting) this.#waiting.shift();
    this.#wake?.();
  }
}
