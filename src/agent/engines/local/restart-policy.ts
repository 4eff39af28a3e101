/** An instance that was healthy for this long starts afresh: its next crash is a first crash. */
export const healthyAfterMs = 60_000;
const firstMs = 100;
/** Longest wait for an app, and for Drover's own programs: without those nothing else is mended, and they are few. */
const longestMs = 60_000;
const longestOwnMs = 10_000;

/**
 * Milliseconds to wait before the start after crash number `crashes` (from 1) in a row: none after the first, then 0.1 s doubled each time, at
 * most 60 s (10 s for Drover's own programs), times 0.5 to 1 from `random`, so that instances that fail together do not come back together.
 * @throws {RangeError} if `crashes` is not a positive integer.
 */
export function restartDelayMs(crashes: number, random: number, isOwn = false): number {
  if (!Number.isInteger(crashes) || crashes < 1) throw new RangeError(`crashes must be a positive integer, not ${crashes}`);
  if (crashes === 1) return 0;
  return Math.min(isOwn ? longestOwnMs : longestMs, firstMs * 2 ** (crashes - 2)) * (0.5 + random / 2);
}
