import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "#model/clock.ts";

/** The machine's own clock. Made by `main.ts` files only. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};
