import type { LogTest } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
import { countLogs, type LogSearcherOptions, searchLogs } from "../view/log-search.ts";

/**
 * How many events match until now, on all machines, and the text of the latest. What is missing may only be left out where it changes nothing: too
 * many are too many, however many more there are.
 * @throws {DroverError} CHECK_IMPOSSIBLE
 */
export async function countForCheck(
  options: LogSearcherOptions,
  { search, of, overMs, most }: LogTest,
  signal: AbortSignal,
): Promise<{ readonly events: number; readonly latest: string | null }> {
  const untilMs = options.clock.nowMs() + 1;
  const range = { of: [of], except: [], query: search, sinceMs: untilMs - overMs, untilMs };
  const { buckets, silent, searchedToMs } = await countLogs(options, { ...range, bucketMs: overMs }, signal);
  const events = buckets.flat().reduce((sum, counted) => sum + counted, 0);
  if (events <= most) {
    const [first] = silent;
    if (first !== undefined)
      throw new DroverError("CHECK_IMPOSSIBLE", `the logs of machine "${first.machine}" could not be looked through: ${first.why}`);
    if (searchedToMs !== null)
      throw new DroverError("CHECK_IMPOSSIBLE", "there are more lines than can be looked through in time", {
        hint: "Look at a shorter time, or for a word that is rare.",
      });
    return { events, latest: null };
  }
  const { events: latest } = await searchLogs(options, { ...range, before: null, limit: 1 }, signal);
  return { events, latest: latest[0]?.text ?? null };
}
