import type { Clock } from "#model/clock.ts";

/** How long passes may run on end before others on the event loop get their turn. */
const turnMs = 5;

export interface WorkQueueOptions<K> {
  /** Most keys that are worked on at once. A key is never worked on twice at once. */
  readonly concurrency: number;
  /** One pass over a key. Resolves with the time on the monotonic clock for the next pass if nothing wakes it before; null for none. Must not reject. */
  readonly work: (key: K, signal: AbortSignal) => Promise<number | null>;
  readonly clock: Clock;
}

/**
 * Keys that want to be looked at: woken any number of times, each is worked on once, in the order in which they were woken, and again when it is
 * woken meanwhile. Holds each key at most once, so it is bounded by the number of keys.
 */
export class WorkQueue<K> {
  readonly #options: WorkQueueOptions<K>;
  readonly #waiting = new Set<K>();
  readonly #working = new Set<K>();
  readonly #due = new Map<K, number>();
  readonly #signal: AbortSignal;
  #timer: { readonly atMs: number; readonly abort: AbortController } | null = null;
  #idle: (() => void) | null = null;
  #turnEndsMs = 0;

  constructor(options: WorkQueueOptions<K>, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Keys that wait or are worked on. */
  get size(): number {
    return this.#waiting.size + this.#working.size;
  }

  wake(key: K): void {
    if (this.#signal.aborted || this.#waiting.has(key)) return;
    this.#due.delete(key);
    this.#waiting.add(key);
    this.#next();
  }

  /** Resolves once the signal has aborted and what was worked on has ended. */
  async stopped(): Promise<void> {
    if (!this.#signal.aborted)
      await new Promise<void>((resolve) => this.#signal.addEventListener("abort", () => resolve(), { once: true }));
    this.#timer?.abort.abort();
    if (this.#working.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#signal.aborted || this.#working.size >= this.#options.concurrency) return;
      if (this.#working.has(key)) continue;
      this.#waiting.delete(key);
      this.#working.add(key);
      void this.#run(key);
    }
  }

  async #run(key: K): Promise<void> {
    await this.#turn();
    const dueMs = this.#signal.aborted ? null : await this.#options.work(key, this.#signal);
    this.#working.delete(key);
    if (this.#signal.aborted) {
      if (this.#working.size === 0) this.#idle?.();
      return;
    }
    if (dueMs !== null && !this.#waiting.has(key)) {
      this.#due.set(key, dueMs);
      this.#setTimer(dueMs);
    }
    this.#next();
    if (this.size === 0) this.#turnEndsMs = 0;
  }

  async #turn(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#turnEndsMs !== 0 && nowMs >= this.#turnEndsMs) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#turnEndsMs = 0;
    }
    if (this.#turnEndsMs === 0) this.#turnEndsMs = this.#options.clock.monotonicMs() + turnMs;
  }

  #setTimer(atMs: number): void {
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.#timer?.abort.abort();
    const abort = new AbortController();
    this.#timer = { atMs, abort };
    const waitMs = Math.max(0, atMs - this.#options.clock.monotonicMs());
    this.#options.clock.sleep(waitMs, abort.signal).then(
      () => this.#fire(abort),
      () => {}, // Aborted because an earlier timer took its place, or because all stops.
    );
  }

  #fire(abort: AbortController): void {
    if (this.#timer?.abort !== abort || this.#signal.aborted) return;
    this.#timer = null;
    const nowMs = this.#options.clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    const ripe: K[] = [];
    for (const [key, dueMs] of this.#due) {
      if (dueMs <= nowMs) ripe.push(key);
      else nextMs = Math.min(nextMs, dueMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#setTimer(nextMs);
    for (const key of ripe) this.wake(key);
  }
}
