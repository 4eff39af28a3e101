import { type Address, addressToCall } from "#host/address.ts";
import { createOutgoing, type OutgoingAddress } from "#host/outgoing.ts";
import type { CheckResult } from "#model/check.ts";
import type { CheckOrder, CheckReport, ScheduledCheck } from "#model/check-orders.ts";
import type { Clock } from "#model/clock.ts";
import type { CheckId } from "#model/names.ts";
import { Wakeup } from "#model/wakeup.ts";
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
  /** Where the edge of this machine listens: what it routes is called there, unless an order names another edge. */
  readonly edge: { readonly http: Address; readonly https: Address };
  /** Null in an edge, which runs no commands of users. */
  readonly runCommand: RunCheckCommand | null;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The checks that the server gave this agent or edge to make. Without any, nothing runs. */
export class OrderedChecks {
  readonly #options: OrderedChecksOptions;
  readonly #signal: AbortSignal;
  #hosts: ReadonlySet<string> = new Set();
  /** Called in place of the edge of this machine, which takes nothing from outside; null: it does. */
  #otherEdge: OutgoingAddress | null = null;
  #running: { readonly schedule: CheckSchedule; readonly stop: AbortController } | null = null;
  #waiting: WaitingReport[] = [];
  readonly #wakeup = new Wakeup();

  constructor(options: OrderedChecksOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  set(order: CheckOrder): void {
    this.#hosts = new Set(order.edgeHosts);
    this.#otherEdge = order.edge?.isOther === true ? order.edge : null;
    if (order.checks.length === 0) {
      this.#running?.stop.abort();
      this.#running = null;
      return;
    }
    this.#running ??= this.#start();
    this.#running.schedule.set(this.#otherEdge === null ? order.checks.map((check) => this.#atOwnEdge(check)) : order.checks);
  }

  /** What the server's edge would answer at its port, the edge of this machine answers at its own. */
  #atOwnEdge(check: ScheduledCheck): ScheduledCheck {
    const url = check.test.kind === "http" ? URL.parse(check.test.url) : null;
    if (check.test.kind !== "http" || url === null || !this.#hosts.has(url.hostname)) return check;
    const { http, https } = this.#options.edge;
    url.port = String(url.protocol === "https:" ? https.port : http.port);
    return { ...check, test: { ...check.test, url: url.href } };
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
      if (this.#waiting.length === 0) await this.#wakeup.wait(signal);
    }
  }

  #aged(report: WaitingReport): CheckReport {
    if (report.kind !== "result") return report;
    const { begunMs, ...sent } = report;
    return { ...sent, ageMs: Math.round(this.#options.clock.monotonicMs() - begunMs) };
  }

  #start() {
    const { probe, allowOutgoing, edge, runCommand, clock, random } = this.#options;
    const stop = new AbortController();
    const outgoing = createOutgoing(allowOutgoing);
    const own = addressToCall(edge.http.host);
    const ownEdge = { address: own, family: own.includes(":") ? 6 : 4 } as const;
    const schedule = new CheckSchedule(
      {
        probe,
        resolve: async (host) => (this.#hosts.has(host) ? (this.#otherEdge ?? ownEdge) : outgoing(host)),
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
    this.#wakeup.wake();
  }
}
