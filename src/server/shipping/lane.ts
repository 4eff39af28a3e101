import { type Clock, pause } from "#model/clock.ts";

/** Pauses after failures in a row: a receiver that restarts is back in seconds; one that is down for long must not be stormed when it comes back. */
const firstPauseMs = 1_000;
const longestPauseMs = 300_000;

export interface LaneOptions {
  /** Batches under way at once while all is well; after a failure one, to see whether it is again. */
  readonly most: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Who may send to a receiver when: so many at once, and after a failure one at a time, after a pause that grows. */
export class Lane {
  readonly #options: LaneOptions;
  #inside = 0;
  #failures = 0;
  #notBeforeMs = 0;
  /** Whoever waits looks again when this aborts. */
  #changed = new AbortController();

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Waits for a turn; `leave` has to follow. @throws what the signal aborted with */
  async enter(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const waitMs = this.#notBeforeMs - this.#options.clock.monotonicMs();
      if (waitMs <= 0 && this.#inside < (this.#failures === 0 ? this.#options.most : 1)) break;
      // Where one is inside, its leaving tells.
      await pause(this.#options.clock, waitMs > 0 ? waitMs : longestPauseMs, AbortSignal.any([signal, this.#changed.signal]));
    }
    this.#inside++;
  }

  leave(): void {
    this.#inside--;
    this.#tell();
  }

  succeeded(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }

  /** @param leastMs what the receiver asked for @returns how long nobody sends now, in milliseconds */
  failed(leastMs: number | null): number {
    const growingMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 16)) * (0.5 + this.#options.random() / 2);
    this.#failures++;
    const pauseMs = Math.max(leastMs ?? 0, growingMs);
    this.#notBeforeMs = this.#options.clock.monotonicMs() + pauseMs;
    return pauseMs;
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = new AbortController();
    changed.abort();
  }
}
