import { DroverError } from "#model/errors.ts";

/** Builds of one space that may wait. More would only wait for longer than anyone does. */
const mostWaiting = 20;

interface Waiting {
  readonly space: string;
  readonly start: (slot: number) => void;
}

/** A few slots, shared fairly: of the spaces that wait, the one that was served longest ago comes next. */
export class FairQueue {
  readonly #free: number[];
  readonly #waiting: Waiting[] = [];
  /** Spaces that wait or were served lately, longest ago first. */
  readonly #turns: string[] = [];

  constructor(slots: number) {
    this.#free = Array.from({ length: slots }, (_, slot) => slot);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves with a slot of one's own; give it back with `release`. @throws {DroverError} OVERLOADED; the signal's reason when it aborts */
  async acquire(space: string, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#served(space);
      return free;
    }
    if (this.#waiting.filter((other) => other.space === space).length >= mostWaiting)
      throw new DroverError("OVERLOADED", `${mostWaiting} builds of the space ${JSON.stringify(space)} wait already`, {
        hint: "Try again when some of them are done.",
      });
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        space,
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

  #next(): Waiting | null {
    let best = -1;
    let bestTurn = Number.POSITIVE_INFINITY;
    for (const [i, { space }] of this.#waiting.entries()) {
      const turn = this.#turns.indexOf(space);
      if (turn >= bestTurn) continue;
      best = i;
      bestTurn = turn;
    }
    if (best === -1) return null;
    const [next] = this.#waiting.splice(best, 1);
    if (next === undefined) return null;
    this.#served(next.space);
    return next;
  }

  /** A space that was never served has the turn -1 and so comes first. */
  #served(space: string): void {
    const turn = this.#turns.indexOf(space);
    if (turn !== -1) this.#turns.splice(turn, 1);
    this.#turns.push(space);
    // As many as can matter: those that wait, and some.
    if (this.#turns.length > 1_000) this.#turns.shift();
  }
}
