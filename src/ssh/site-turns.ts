import { type Clock, pause } from "#model/clock.ts";

/** How far whoever has the turn of a site is. Disposed of, it is the next one's. */
export interface SiteTurn extends Disposable {
  /** It waited for another host, which may have by now what it needs. */
  readonly hasWaited: boolean;
  /** It goes on. */
  moved(): void;
}

/** A host of which nothing was heard for so long keeps nobody waiting any more. */
const stillMs = 15_000;

/**
 * Of hosts that are added at once and stand in one place, one is sent what they all lack; the others wait until it is a machine, or fails, or stands still. A host
 * waits once: then it goes on by itself, next to all others.
 */
export class SiteTurns {
  readonly #clock: Clock;
  readonly #held = new Map<string, { movedAtMs: number; readonly ended: Promise<void> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async take(site: string, signal: AbortSignal): Promise<SiteTurn> {
    const now = () => this.#clock.monotonicMs();
    const other = this.#held.get(site);
    if (other === undefined) {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const held = { movedAtMs: now(), ended };
      this.#held.set(site, held);
      return {
        hasWaited: false,
        moved: () => void (held.movedAtMs = now()),
        [Symbol.dispose]: () => {
          this.#held.delete(site);
          end();
        },
      };
    }
    const done = new AbortController();
    const until = AbortSignal.any([signal, done.signal]);
    void other.ended.then(() => done.abort());
    const leftMs = () => other.movedAtMs + stillMs - now();
    while (leftMs() > 0 && !until.aborted) await pause(this.#clock, leftMs(), until);
    signal.throwIfAborted();
    return { hasWaited: true, moved: () => {}, [Symbol.dispose]: () => {} };
  }
}
