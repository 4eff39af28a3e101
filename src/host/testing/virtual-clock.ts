import type { Clock } from "#model/clock.ts";

interface Sleeper {
  readonly wakeAtMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** A clock that moves only when it is told to, for tests and simulations. */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #skewMs = 0;
  #order = 0;
  /** A binary heap by time, then by order. */
  readonly #heap: Sleeper[] = [];
  readonly #gone = new Set<Sleeper>();

  constructor(startMs = 1_000_000_000_000) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs + this.#skewMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  /** Somebody sets the machine's clock: the wall clock jumps, the monotonic one does not. */
  jump(ms: number): void {
    this.#skewMs += ms;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        this.#gone.add(sleeper);
        reject(signal.reason);
      };
      const wake = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const sleeper: Sleeper = { wakeAtMs: this.#elapsedMs + Math.max(0, ms), order: this.#order++, wake };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#push(sleeper);
    });
  }

  /** Time until the next sleeper wakes, in milliseconds; null if nobody sleeps. */
  untilNextMs(): number | null {
    this.#dropGone();
    const first = this.#heap[0];
    return first === undefined ? null : first.wakeAtMs - this.#elapsedMs;
  }

  /**
   * Moves time by `ms`, waking sleepers in order, each at its time. After each `settle` is awaited, so that what was woken can act and sleep again
   * within the same move. Default: one turn of the event loop.
   */
  async advance(ms: number, settle: () => Promise<void> = turn): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await settle();
    for (;;) {
      this.#dropGone();
      const first = this.#heap[0];
      if (first === undefined || first.wakeAtMs > untilMs) break;
      this.#elapsedMs = Math.max(this.#elapsedMs, first.wakeAtMs);
      this.#pop();
      first.wake();
      await settle();
    }
    this.#elapsedMs = untilMs;
  }

  #dropGone(): void {
    for (let first = this.#heap[0]; first !== undefined && this.#gone.delete(first); first = this.#heap[0]) this.#pop();
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(sleeper);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Sleeper;
      if (!isBefore(sleeper, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = sleeper;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Sleeper, heap[child] as Sleeper)) child++;
      if (!isBefore(heap[child] as Sleeper, last)) break;
      heap[at] = heap[child] as Sleeper;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Sleeper, b: Sleeper): boolean {
  return a.wakeAtMs < b.wakeAtMs || (a.wakeAtMs === b.wakeAtMs && a.order < b.order);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
