import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "#model/clock.ts";

/** Milliseconds since the machine's boot on the monotonic clock: the same in all its programs, which `monotonicMs` is not. Called by `main.ts` files only. */
export function sinceBootMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

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
