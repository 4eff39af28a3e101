import { performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

/** How long it is looked back for whether a program is at rest. */
const lookMs = 5_000;
/** Most of that time that work takes at rest. */
const restingShare = 0.05;
/** Largest heap that is gone through: this stops the program for some 80 ms. What has more to keep track of gains little by it. */
const mostHeapBytes = 64 * 2 ** 20;

/**
 * Gives back, once, when the program first rests, what its start took: the garbage of loading modules, and a young generation that grew with the burst. V8 does so
 * by itself only after a full collection, for which a program that rests gives it no cause. Nothing is done without Node's `--expose-gc`.
 */
export function giveBackMemory(): void {
  const { gc } = globalThis;
  if (gc === undefined) return;
  let before = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const isResting = performance.eventLoopUtilization(now, before).utilization < restingShare;
    before = now;
    if (!isResting) return;
    clearInterval(timer);
    if (getHeapStatistics().used_heap_size <= mostHeapBytes) void gc({ type: "major", execution: "sync", flavor: "last-resort" });
  }, lookMs);
  timer.unref();
}
