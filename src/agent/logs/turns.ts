import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "#model/clock.ts";

/** How long work on many lines may hold the event loop before others get a turn. */
const longestTurnMs = 4;

/** Gives others a turn if this work has held the event loop for long; to be awaited between small steps. */
export function createTurns(clock: Clock): () => Promise<void> | null {
  let endsMs = clock.monotonicMs() + longestTurnMs;
  return () => {
    if (clock.monotonicMs() < endsMs) return null;
    return nextTurn().then(() => {
      endsMs = clock.monotonicMs() + longestTurnMs;
    });
  };
}
