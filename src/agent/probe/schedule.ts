/** Before its first success an instance is looked at this soon, and then after waits that grow with the time it takes. */
const firstWaitMs = 2;
const growth = 1.3;
/** Longest wait while an instance starts: what a person would not notice, and hundreds that start together can afford. */
const longestStartingWaitMs = 50;
/** One that takes longer than this to start is looked at as seldom as one that runs. */
const startingMs = 30_000;

/** Milliseconds until look number `attempt` (from 0) at an instance that has not been well yet. */
export function startingWaitMs(attempt: number, sinceStartMs: number, everyMs: number): number {
  if (sinceStartMs > startingMs) return everyMs;
  return Math.min(everyMs, longestStartingWaitMs, firstWaitMs * growth ** attempt);
}

/** Spreads the looks at many instances over the interval: 0.9 to 1.1 of it, from `random`. */
export function steadyWaitMs(everyMs: number, random: number): number {
  return everyMs * (0.9 + random * 0.2);
}
