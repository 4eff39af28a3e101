import type { DroverError } from "#model/errors.ts";

export interface FairQueueOptions {
  /** Of work at a time. */
  readonly slots: number;
  /** Of one that may wait: more would only wait for longer than anyone does. */
  readonly mostWaiting: number;
  /** Of all together that may wait, those that go first apart. Default: no bound. */
  readonly mostWaitingOfAll?: number;
  /** Whose turn comes before that of all others. Default: nobody's. */
  readonly goesFirst?: (whose: string) => boolean;
  readonly refuse: (whose: string) => DroverError;
}

interface Waiting {
  readonly whose: string;
  readonly start: (slot: number) => void;
}

/** A few slots, shared fairly: of those that wait, the one that was served longest ago comes next. */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #free: number[];
  readonly #waiting: Waiting[] = [];
  /** Those that wait or were served lately, longest ago first. */
  readonly #turns: string[] = [];

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#free = Array.from({ length: options.slots }, (_, slot) => slot);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Nobody waits, and nothing is under way. */
  get isIdle(): boolean {
    return this.#free.length === this.#options.slots;
  }

  /** Resolves with a slot of one's own; give it back with `release`. @throws what `refuse` makes; the signal's reason when it aborts */
  async acquire(whose: string, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#served(whose);
      return free;
    }
    if (this.#isFull(whose)) throw this.#options.refuse(whose);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        whose,
        start: (slot) => {
          signal.removeEventListener("abort", leave);
          resolve(slot);
        },
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  release(slot: number): void {
    const next = this.#next();
    if (next === null) this.#free.push(slot);
    else next.start(slot);
  }

  #isFull(whose: string): boolean {
    const { mostWaiting, mostWaitingOfAll = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#waiting.filter((other) => other.whose === whose).length >= mostWaiting) return true;
    return !this.#goesFirst(whose) && this.#waiting.filter((other) => !this.#goesFirst(other.whose)).length >= mostWaitingOfAll;
  }

  #goesFirst(whose: string): boolean {
    return this.#options.goesFirst?.(whose) ?? false;
  }

  #next(): Waiting | null {
    let best = -1;
    let bestTurn = Number.POSITIVE_INFINITY;
    for (const [i, { whose }] of this.#waiting.entries()) {
      // One that was never served has the turn -1 and so comes first.
      const turn = this.#goesFirst(whose) ? Number.NEGATIVE_INFINITY : this.#turns.indexOf(whose);
      if (turn >= bestTurn) continue;
      best = i;
      bestTurn = turn;
    }
    if (best === -1) return null;
    const [next] = this.#waiting.splice(best, 1);
    if (next === undefined) return null;
    this.#served(next.whose);
    return next;
  }

  #served(whose: string): void {
    const turn = this.#turns.indexOf(whose);
    if (turn !== -1) this.#turns.splice(turn, 1);
    this.#turns.push(whose);
    // As many as can matter: those that wait, and some.
    if (this.#turns.length > 1_000) this.#turns.shift();
  }
}
