/** Longest stretch of work before other work of the event loop gets its turn. */
const sliceMs = 4;

/** Spreads a burst of small pieces of work over turns of the event loop, so that waking thousands of watchers delays nobody else. */
export interface Slices {
  /** Resolves when the caller may do one small piece of work, in the order of the calls. */
  turn(): Promise<void>;
}

export function createSlices(monotonicMs: () => number): Slices {
  const waiting: (() => void)[] = [];
  let isScheduled = false;
  const run = () => {
    isScheduled = false;
    const endMs = monotonicMs() + sliceMs;
    // Each resolution runs its piece of work in a microtask, after this loop; so the loop hands out a few at a time.
    release(endMs);
  };
  const release = (endMs: number) => {
    const batch = waiting.splice(0, 16);
    for (const resolve of batch) resolve();
    if (waiting.length === 0) return;
    // After the microtasks of this batch: go on if there is time left in the slice.
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => (monotonicMs() < endMs ? release(endMs) : schedule()))));
  };
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(run);
  };
  return {
    turn: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        schedule();
      }),
  };
}
