import type { RateLimit } from "#model/routing-table.ts";

/**
 * A token bucket as the one moment at which it would be full again (GCRA, ITU-T I.371): `burst` requests at once, then one for each
 * `perMs / requests`. All moments are on the monotonic clock.
 */
export class Bucket {
  readonly #everyMs: number;
  readonly #aheadMs: number;
  #fullAtMs = 0;

  constructor({ requests, perMs, burst }: RateLimit) {
    this.#everyMs = perMs / requests;
    this.#aheadMs = this.#everyMs * (Math.max(1, burst) - 1);
  }

  /** Takes one; 0 if it was there, else the milliseconds until it will be. */
  take(nowMs: number): number {
    const fullAtMs = Math.max(nowMs, this.#fullAtMs);
    const waitMs = fullAtMs - nowMs - this.#aheadMs;
    if (waitMs > 0) return waitMs;
    this.#fullAtMs = fullAtMs + this.#everyMs;
    return 0;
  }

  isFull(nowMs: number): boolean {
    return this.#fullAtMs <= nowMs;
  }
}

/** Clients that are remembered for one route: 10,000 buckets are about 2 MB. */
const mostClients = 10_000;

/** A bucket for each client, for as many clients as there is room; those seen longest ago make room for others. */
export class ClientBuckets {
  readonly #limit: RateLimit;
  readonly #most: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, most = mostClients) {
    this.#limit = limit;
    this.#most = most;
  }

  get size(): number {
    return this.#buckets.size;
  }

  take(address: string, nowMs: number): number {
    const key = clientKey(address);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new Bucket(this.#limit);
      this.#makeRoom(nowMs);
    } else this.#buckets.delete(key);
    // Back in as the newest: the order of the map is the order of their last requests.
    this.#buckets.set(key, bucket);
    return bucket.take(nowMs);
  }

  /** A full bucket knows nothing that a new one would not; two at a time keep the table from staying at its bound. */
  #makeRoom(nowMs: number): void {
    let looked = 0;
    for (const [key, bucket] of this.#buckets) {
      if (this.#buckets.size < this.#most && !bucket.isFull(nowMs)) return;
      this.#buckets.delete(key);
      if (++looked === 2) return;
    }
  }
}

/** Whoever has one IPv6 address has the 2^64 of its network. */
export function clientKey(address: string): string {
  if (!address.includes(":")) return address;
  const bare = address.split("%", 1)[0] ?? address;
  const [head = "", tail] = bare.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    // A dotted end stands for two groups.
    const wide = after.length + (after.at(-1)?.includes(".") ? 1 : 0);
    while (groups.length + wide < 8) groups.push("0");
    groups.push(...after);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, "").toLowerCase())
    .join(":");
}
