import type { DroverError } from "#model/errors.ts";

export interface FairQueueOptions {
  /** Of work at a time. */
  readonly slots: number;
  /** Of one at a time, so that the others find room. Default: all of them. */
  readonly mostOfOne?: number;
  /** Of one that may wait: more would only wait for longer than anyone does. */
  readonly mostWaiting: number;
  /** Of all together that may wait, those that go first apart. Default: no bound. */
  readonly mostWaitingOfAll?: number;
  /** Whose turn comes before that of all others. Default: nobody's. */
  readonly goesFirst?: (whose: string) => boolean;
  /** @param underWay slots that this one has */
  readonly refuse: (whose: string, underWay: number) => DroverError;
}

interface Waiting {
  readonly whose: string;
  readonly start: (slot: number) => void;
}

/** A few slots, shared fairly: of those that wait, the one that was served longest ago comes next. */
export class FairQueue {
  readonly #options: FairQueueOptions;
  /** Who has each slot; null: it is free. */
  readonly #holders: (string | null)[];
  readonly #waiting: Waiting[] = [];
  /** Those that wait or were served lately, longest ago first. */
  readonly #turns: string[] = [];

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#holders = Array.from({ length: options.slots }, () => null);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Nobody waits, and nothing is under way. */
  get isIdle(): boolean {
    return this.#holders.every((holder) => holder === null);
  }

  /** Resolves or rejects as the work does, which begins once it has a slot. @throws what `acquire` throws */
  async run<T>(whose: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const slot = await this.acquire(whose, signal);
    try {
      return await work();
    } finally {
      this.release(slot);
    }
  }

  /** Resolves with a slot of one's own; give it back with `release`. @throws what `refuse` makes; the signal's reason when it aborts */
  async acquire(whose: string, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const free = this.#holders.indexOf(null);
    if (free !== -1 && this.#mayStart(whose)) {
      this.#serve(whose, free);
      return free;
    }
    if (this.#isFull(whose)) throw this.#options.refuse(whose, this.#underWay(whose));
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
    this.#holders[slot] = null;
    const next = this.#next();
    if (next === null) return;
    this.#serve(next.whose, slot);
    next.start(slot);
  }

  #underWay(whose: string): number {
    return this.#holders.filter((holder) => holder === whose).length;
  }

  #mayStart(whose: string): boolean {
    return this.#underWay(whose) < (this.#options.mostOfOne ?? this.#options.slots);
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
      if (!this.#mayStart(whose)) continue;
      // One that was never served has the turn -1 and so comes first.
      const turn = this.#goesFirst(whose) ? Number.NEGATIVE_INFINITY : this.#turns.indexOf(whose);
      if (turn >= bestTurn) continue;
      best = i;
      bestTurn = turn;
    }
    return best === -1 ? null : (this.#waiting.splice(best, 1)[0] ?? null);
  }

  #serve(whose: string, slot: number): void {
    this.#holders[slot] = whose;
    const turn = this.#turns.indexOf(whose);
    if (turn !== -1) this.#turns.splice(turn, 1);
    this.#turns.push(whose);
    // As many as can matter: those that wait, and some.
    if (this.#turns.length > 1_000) this.#turns.shift();
  }
}
