import { BoundedMap } from "./bounded-map.ts";

interface ReadyAnswer {
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
 */
export class ReadyAnswers {
  readonly #answers: BoundedMap<ReadyAnswer>;
  readonly #keysOfApp = new Map<string, Set<string>>();

  constructor() {
    this.#answers = new BoundedMap<ReadyAnswer>(bounds, (key, { app }) => {
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
    const answer = this.#answers.get(query.toString("latin1", 2));
    if (answer === undefined) return null;
    const variant = answer.variants[answer.next];
    if (variant === undefined) return null;
    answer.next = answer.next + 1 === answer.variants.length ? 0 : answer.next + 1;
    // A copy, because a packet that the kernel could not take at once is sent later.
    const packet = Buffer.allocUnsafe(variant.length);
    variant.copy(packet);
    packet[0] = query[0] ?? 0;
    packet[1] = query[1] ?? 0;
    return packet;
  }

  /** @param write makes the answer that starts with the given record. @returns the first of them */
  keep(query: Buffer, app: string, records: number, write: (first: number) => Buffer): Buffer {
    const variants = Array.from({ length: Math.min(Math.max(records, 1), mostVariants) }, (_, i) => write(i));
    const first = variants[0] ?? write(0);
    if (query.length > longestQuery) return first;
    const key = query.toString("latin1", 2);
    const sizeBytes = variants.reduce((sum, { length }) => sum + length, entryBytes + key.length);
    this.#answers.set(key, { app, variants, next: variants.length === 1 ? 0 : 1 }, sizeBytes);
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
