/** An instance that was healthy for this long starts afresh: its next crash is a first crash. */
export const healthyAfterMs = 60_000;
const firstMs = 100;
const longestMs = 60_000;

/**
 * Milliseconds to wait before the start after crash number `crashes` (from 1) in a row: none after the first, then 0.1 s doubled each time, at
 * most 60 s, times 0.5 to 1 from `random`, so that instances that fail together do not come back together.
 * @throws {RangeError} if `crashes` is not a positive integer.
 */
export function restartDelayMs(crashes: number, random: number): number {
  if (!Number.isInteger(crashes) || crashes < 1) throw new RangeError(`crashes must be a positive integer, not ${crashes}`);
  if (crashes === 1) return 0;
  return Math.min(longestMs, firstMs * 2 ** (crashes - 2)) * (0.5 + random / 2);
}
