/** The best of many, by an order that only what is best may change in: a binary heap. */
export class Heap<T> {
  readonly #items: T[];
  readonly #isBetter: (one: T, other: T) => boolean;

  /** Takes the array over. */
  constructor(items: T[], isBetter: (one: T, other: T) => boolean) {
    this.#items = items;
    this.#isBetter = isBetter;
    for (let at = (items.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  get best(): T | null {
    return this.#items[0] ?? null;
  }

  /** Finds its place for the best one, which has become worse. */
  worsened(): void {
    this.#sink(0);
  }

  dropBest(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    this.#sink(0);
  }

  #sink(from: number): void {
    const items = this.#items;
    const sinking = items[from];
    if (sinking === undefined) return;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [items[child], items[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && this.#isBetter(right, left)) child++;
      const better = items[child];
      if (better === undefined || !this.#isBetter(better, sinking)) break;
      items[at] = better;
      at = child;
    }
    items[at] = sinking;
  }
}
