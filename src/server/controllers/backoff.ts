/** First and longest wait after failures in a row. The longest is short: what fails here fails on this machine, and comes back within seconds. */
const firstMs = 100;
const longestMs = 10_000;

/** Failures in a row by key. Doubles from 0.1 s to 10 s, each wait a random share from half to all of that, so that keys spread. */
export class Backoff<K> {
  readonly #failures = new Map<K, number>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  succeeded(key: K): void {
    this.#failures.delete(key);
  }

  /** @returns how long to wait before the next attempt, in milliseconds. */
  failed(key: K): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return Math.min(longestMs, firstMs * 2 ** Math.min(failures, 16)) * (0.5 + this.#random() / 2);
  }

  failures(key: K): number {
    return this.#failures.get(key) ?? 0;
  }
}
