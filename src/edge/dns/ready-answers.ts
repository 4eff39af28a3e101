import { BoundedMap } from "./bounded-map.ts";
import { headerBytes } from "./codes.ts";

interface ReadyAnswer {
  /** What it answers, id included. */
  readonly query: Buffer;
  readonly app: string;
  /** The same records in different orders. */
  readonly variants: readonly Buffer[];
  next: number;
}

/** Every instance of a process comes first in one of them; more instances than this are spread well enough. */
const mostVariants = 16;
/** Ten thousand apps asked for in both families. */
const bounds = { entries: 20_000, bytes: 16 * 1024 * 1024 } as const;
/** What an entry costs beside its answers: key, map slots, objects. */
const entryBytes = 400;
/** Queries longer than this come from nobody who asks often. */
const longestQuery = 512;

/**
 * Answers of the zone as finished bytes, by the bytes of the query that they answer: all but its id, so that spelling, flags and EDNS are part
 * of the key and nothing has to be read. This is the whole of what a usual query costs.
 *
 * They are found by a number made of those bytes, which costs half of making a string of them. Of two queries with the same number the later has
 * the place; the other is answered the long way, as it was the first time.
 */
export class ReadyAnswers {
  readonly #answers: BoundedMap<ReadyAnswer, number>;
  readonly #keysOfApp = new Map<string, Set<number>>();

  constructor() {
    this.#answers = new BoundedMap<ReadyAnswer, number>(bounds, (key, { app }) => {
      const keys = this.#keysOfApp.get(app);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysOfApp.delete(app);
    });
  }

  get size(): number {
    return this.#answers.size;
  }

  /** A new packet with the query's id, or null if there is no answer ready. */
  take(query: Buffer): Buffer | null {
    if (query.length > longestQuery) return null;
    const answer = this.#answers.get(keyOf(query));
    if (answer === undefined || !isSameButId(answer.query, query)) return null;
    const variant = answer.variants[answer.next];
    if (variant === undefined) return null;
    answer.next = answer.next + 1 === answer.variants.length ? 0 : answer.next + 1;
    // A copy, because others may ask the same before it is sent.
    const packet = Buffer.allocUnsafe(variant.length);
    packet.set(variant);
    packet[0] = query[0] ?? 0;
    packet[1] = query[1] ?? 0;
    return packet;
  }

  /** @param write makes the answer that starts with the given record. @returns the first of them */
  keep(query: Buffer, app: string, records: number, write: (first: number) => Buffer): Buffer {
    const variants = Array.from({ length: Math.min(Math.max(records, 1), mostVariants) }, (_, i) => write(i));
    const first = variants[0] ?? write(0);
    if (query.length > longestQuery) return first;
    const key = keyOf(query);
    const sizeBytes = variants.reduce((sum, { length }) => sum + length, entryBytes + query.length);
    this.#answers.set(key, { query: Buffer.from(query), app, variants, next: variants.length === 1 ? 0 : 1 }, sizeBytes);
    if (this.#answers.get(key) === undefined) return first;
    const keys = this.#keysOfApp.get(app);
    if (keys === undefined) this.#keysOfApp.set(app, new Set([key]));
    else keys.add(key);
    return first;
  }

  forget(apps: Iterable<string>): void {
    for (const app of apps) for (const key of [...(this.#keysOfApp.get(app) ?? [])]) this.#answers.delete(key);
  }
}

/** FNV-1a in 32 bits over the flags and all behind the header. The counts between them are left to the comparison: they hardly differ. */
function keyOf(query: Buffer): number {
  let key = Math.imul(0x811c9dc5 ^ (query[2] ?? 0), 0x01000193);
  key = Math.imul(key ^ (query[3] ?? 0), 0x01000193);
  for (let i = headerBytes; i < query.length; i++) key = Math.imul(key ^ (query[i] ?? 0), 0x01000193);
  return key;
}

function isSameButId(one: Buffer, other: Buffer): boolean {
  if (one.length !== other.length) return false;
  for (let i = 2; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
