import { latencyBoundsMs } from "./routing-table.ts";

/**
 * Upper bound in milliseconds of the bucket that holds the quantile, from counts for each of `latencyBoundsMs` and one for all above; infinite for
 * that last one, null where nothing was counted.
 */
export function latencyQuantile(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let passed = 0;
  for (const [i, count] of counts.entries()) {
    passed += count;
    if (passed >= total * share) return latencyBoundsMs[i] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}
