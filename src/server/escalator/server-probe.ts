import type { CountLogs, Finding } from "#checks/finding.ts";
import { CheckSchedule } from "#checks/schedule.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { CheckResult } from "#model/check.ts";
import type { ScheduledCheck } from "#model/check-orders.ts";
import type { Clock } from "#model/clock.ts";
import type { DroverError } from "#model/errors.ts";
import type { CheckId, SpaceName } from "#model/names.ts";

/** The server as a place from which checks are made. */
export const serverProbe = "server";

export interface ServerProbeOptions {
  readonly resolve: ResolveOutgoing;
  readonly countLogs: CountLogs;
  /** Its wall clock does not jump while the server runs: results are compared with each other. */
  readonly clock: Clock;
  readonly random: () => number;
  readonly onResult: (space: SpaceName, result: CheckResult) => void;
  readonly onImpossible: (space: SpaceName, check: CheckId, error: DroverError | null) => void;
}

/** Makes the checks of all spaces that the server itself is to make. Without any, nothing runs. */
export class ServerProbe {
  readonly #options: ServerProbeOptions;
  readonly #signal: AbortSignal;
  readonly #spaces = new Map<SpaceName, readonly ScheduledCheck[]>();
  #running: { readonly schedule: CheckSchedule; readonly stop: AbortController } | null = null;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: ServerProbeOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  set(space: SpaceName, checks: readonly ScheduledCheck[]): void {
    if (checks.length === 0) this.#spaces.delete(space);
    else this.#spaces.set(space, checks);
    if (this.#spaces.size === 0) {
      this.#running?.stop.abort();
      this.#running = null;
      return;
    }
    this.#running ??= this.#start();
    this.#running.schedule.set(
      [...this.#spaces].flatMap(([name, own]) => own.map((check) => ({ ...check, id: `${name} ${check.id}` as CheckId }))),
    );
  }

  /** One attempt now; null when the server makes no such check. */
  async once(space: SpaceName, check: CheckId, signal: AbortSignal): Promise<Finding | null> {
    return (await this.#running?.schedule.once(`${space} ${check}` as CheckId, signal)) ?? null;
  }

  async stopped(): Promise<void> {
    await this.#ended;
  }

  #start() {
    const { resolve, countLogs, clock, random, onResult, onImpossible } = this.#options;
    const stop = new AbortController();
    const schedule = new CheckSchedule(
      {
        probe: serverProbe,
        resolve,
        runCommand: null,
        countLogs,
        clock,
        random,
        onResult: (result) => onResult(...split(result.check, (check) => ({ ...result, check }))),
        onImpossible: (id, error) => {
          const [space, check] = split(id, (own) => own);
          onImpossible(space, check, error);
        },
      },
      AbortSignal.any([stop.signal, this.#signal]),
    );
    this.#ended = Promise.all([this.#ended, schedule.stopped()]);
    return { schedule, stop };
  }
}

/** One schedule serves all spaces, so its ids begin with the space's name, which has no blank in it. */
export function split<T>(id: CheckId, make: (check: CheckId) => T): [SpaceName, T] {
  const blank = id.indexOf(" ");
  return [id.slice(0, blank) as SpaceName, make(id.slice(blank + 1) as CheckId)];
}
