import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { KeepRules } from "#model/log-keep.ts";
import type { AppLog } from "./app-log.ts";
import { expireLogs, isOverBounds, type RetentionRules } from "./log-retention.ts";

export interface LogExpiryOptions {
  /** Of all apps that are open. */
  readonly logs: () => readonly AppLog[];
  readonly rules: RetentionRules;
  readonly clock: Clock;
  readonly log: Log;
}

/** Removes lines when it is asked to look, by the rules and by what spaces want. */
export class LogExpiry {
  /** How long each space wants its lines kept. */
  spaces: KeepRules = {};
  readonly #options: LogExpiryOptions;
  #running: Promise<void> | null = null;
  #isWanted = false;

  constructor(options: LogExpiryOptions) {
    this.#options = options;
  }

  isDue(written: AppLog): boolean {
    return isOverBounds(written, this.#options.logs(), this.#options.rules, this.spaces);
  }

  /** One pass at a time; whoever asks during one gets another after it. Never fails: what goes wrong is in the log, and the next pass tries again. */
  look(): Promise<void> {
    this.#isWanted = true;
    this.#running ??= this.#passWhileWanted().finally(() => (this.#running = null));
    return this.#running;
  }

  async #passWhileWanted(): Promise<void> {
    const { logs, rules, clock, log } = this.#options;
    while (this.#isWanted) {
      this.#isWanted = false;
      try {
        await expireLogs(logs(), rules, this.spaces, clock.nowMs());
      } catch (error) {
        log.error("old log lines cannot be removed", errorFields(error));
      }
    }
  }
}
