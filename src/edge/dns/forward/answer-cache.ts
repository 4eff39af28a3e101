import type { Clock } from "#model/clock.ts";
import { BoundedMap } from "../bounded-map.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";

/** What a busy machine asks for in a day, and no more memory than one browser tab. */
const bounds = { entries: 10_000, bytes: 8 * 1024 * 1024 } as const;
/** What an entry costs beside its bytes. */
const entryBytes = 500;

export interface CachedAnswer {
  readonly answer: UpstreamAnswer;
  readonly ageS: number;
}

/** Answers of resolvers for as long as they may be kept. */
export class AnswerCache {
  readonly #clock: Clock;
  readonly #answers = new BoundedMap<{ readonly answer: UpstreamAnswer; readonly atMs: number }>(bounds);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#answers.size;
  }

  get(key: string): CachedAnswer | null {
    const held = this.#answers.get(key);
    if (held === undefined) return null;
    const ageMs = this.#clock.monotonicMs() - held.atMs;
    if (ageMs >= held.answer.lifetimeS * 1_000) {
      this.#answers.delete(key);
      return null;
    }
    return { answer: held.answer, ageS: Math.floor(ageMs / 1_000) };
  }

  keep(key: string, answer: UpstreamAnswer): void {
    if (answer.lifetimeS === 0) return;
    this.#answers.set(key, { answer, atMs: this.#clock.monotonicMs() }, answer.bytes.length + entryBytes);
  }
}
