import type { Clock } from "#model/clock.ts";

/** Something that has to move on by `deadlineMs` on the monotonic clock; `Infinity` while nothing is due. */
export interface Timed {
  readonly deadlineMs: number;
  onDeadline(nowMs: number): void;
}

/** The time limits of all connections under one timer: setting a limit is an assignment, which a timer for each request would not be. */
export class Deadlines {
  readonly #timed = new Set<Timed>();
  readonly #clock: Clock;
  readonly #everyMs: number;
  /** Ends the wait for something to look at; null while there is something. */
  #wake: (() => void) | null = null;

  /** @param everyMs by how much something may be late */
  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  add(timed: Timed): void {
    this.#timed.add(timed);
    this.#wake?.();
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed);
  }

  /** Tells all that are due, again and again, until the signal aborts. Sleeps while there is nothing that could be. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      if (this.#timed.size === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
        continue;
      }
      try {
        await this.#clock.sleep(this.#everyMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      this.sweep();
    }
  }

  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const timed of this.#timed) if (timed.deadlineMs <= nowMs) timed.onDeadline(nowMs);
  }
}
