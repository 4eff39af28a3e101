import type { Clock } from "#model/clock.ts";
import { plainAddress } from "./access.ts";
import { ipv6Bytes } from "./records.ts";

/** Answers a second to one network, and how many may come at once. Above what an office's resolver asks for, far below what hurts anybody. */
const perSecond = 1_000;
const burst = 2_000;
/** Networks that are followed at once; the one that came first makes room. A forger of addresses must not fill the memory. */
const mostNetworks = 10_000;
/** Of two answers over the limit one says "come by TCP", which a forged client cannot and a real one can. */
const slip = 2;

export type RateVerdict = "send" | "truncate" | "drop";

interface Bucket {
  tokens: number;
  filledAtMs: number;
  over: number;
}

/** Limits answers over UDP to addresses that have proved nothing, by network: /24 or /56, because a victim is more than one address. */
export class ResponseRate {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get networks(): number {
    return this.#buckets.size;
  }

  judge(address: string): RateVerdict {
    const bucket = this.#bucketOf(networkOf(plainAddress(address)));
    const nowMs = this.#clock.monotonicMs();
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.filledAtMs) * perSecond) / 1_000);
    bucket.filledAtMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens--;
      return "send";
    }
    bucket.over++;
    return bucket.over % slip === 0 ? "truncate" : "drop";
  }

  #bucketOf(network: string): Bucket {
    const known = this.#buckets.get(network);
    if (known !== undefined) return known;
    const bucket = { tokens: burst, filledAtMs: this.#clock.monotonicMs(), over: 0 };
    if (this.#buckets.size >= mostNetworks) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    this.#buckets.set(network, bucket);
    return bucket;
  }
}

function networkOf(address: string): string {
  if (!address.includes(":")) return address.slice(0, address.lastIndexOf("."));
  return ipv6Bytes(address).toString("latin1", 0, 7);
}
