import type { Entry } from "./store.ts";

/** An entry and where its version lies in the journal. */
export interface Slot {
  readonly entry: Entry;
  readonly place: number;
}

/** Bounds the work of one insert (a splice) and keeps the list of chunks short: 100,000 keys are some 300 chunks. */
const chunkKeys = 512;

/** The live keys: found by name in constant time, listed by prefix in byte order. An insert moves at most one chunk of names. */
export class Keyspace {
  readonly #slots = new Map<string, Slot>();
  /** Sorted, none empty. */
  #chunks: string[][] = [];

  get size(): number {
    return this.#slots.size;
  }

  get(key: string): Slot | null {
    return this.#slots.get(key) ?? null;
  }

  put(slot: Slot): void {
    const key = slot.entry.key;
    const isNew = !this.#slots.has(key);
    this.#slots.set(key, slot);
    if (isNew) this.#insert(key);
  }

  delete(key: string): void {
    if (!this.#slots.delete(key)) return;
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) throw new Error(`the keyspace lost the order of "${key}"`);
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** Entries from `from` (inclusive) on whose key starts with `prefix`, at most `limit`, in byte order. */
  list(prefix: string, from: string, limit: number): Entry[] {
    const entries: Entry[] = [];
    const start = compareKeys(from, prefix) > 0 ? from : prefix;
    let at = this.#chunkOf(start);
    for (let index = lowerBound(this.#chunks[at] ?? [], start); at < this.#chunks.length; at++, index = 0) {
      const chunk = this.#chunks[at] ?? [];
      for (; index < chunk.length; index++) {
        const key = chunk[index];
        if (key === undefined || entries.length >= limit || !key.startsWith(prefix)) return entries;
        const slot = this.#slots.get(key);
        if (slot !== undefined) entries.push(slot.entry);
      }
    }
    return entries;
  }

  #insert(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, key);
    // Keys that arrive in order (most do: padded numbers, times) fill a chunk and leave it full, instead of leaving half-empty ones behind.
    const isLast = at === this.#chunks.length - 1;
    if (chunk.length > chunkKeys) this.#chunks.splice(at + 1, 0, chunk.splice(isLast ? chunkKeys : chunkKeys / 2));
  }

  /** Index of the last chunk that begins at or before `key`; 0 if all begin after it. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#chunks[middle]?.[0] ?? "", key) <= 0) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Index of the first key that is not before `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keys[middle] ?? "", key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Orders keys by the bytes of their UTF-8, as etcd does. JavaScript compares UTF-16 units, which puts surrogate pairs (U+10000 and up) before
 * U+E000 to U+FFFF; the bytes have them after.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return byteRank(left) - byteRank(right);
  }
  return a.length - b.length;
}

function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
