import type { CountedLogs } from "#checks/finding.ts";
import type { LogTest } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
import { byChecks } from "#model/log-event.ts";
import { nameOf, scopeOf } from "#model/target.ts";
import { windowOf } from "#plan/checks/window.ts";
import { countLogs, type LogSearcherOptions, searchLogs } from "../view/log-search.ts";

/**
 * How many events match until now, on all machines, and the text of the latest. What is missing may only be left out where it changes nothing: too
 * many are too many, however many more there are.
 * @param mendedAtMs before that nothing counts; null: it was not acted on
 * @throws {DroverError} CHECK_IMPOSSIBLE
 */
export async function countForCheck(
  options: LogSearcherOptions,
  { search, of: { space, target }, overMs: wholeMs, most }: LogTest,
  mendedAtMs: number | null,
  signal: AbortSignal,
): Promise<CountedLogs> {
  const window = windowOf(wholeMs, options.clock.nowMs() + 1, mendedAtMs);
  if (window === null) return { events: 0, latest: null, overMs: 0 };
  const { fromMs, toMs: untilMs } = window;
  const overMs = untilMs - fromMs;
  const of = scopeOf(target) === "app" ? `${space}/${nameOf(target)}/` : `${space}/`;
  const range = { of: [of], except: [], by: byChecks, query: search, sinceMs: fromMs, untilMs };
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
    return { events, latest: null, overMs };
  }
  const { events: latest } = await searchLogs(options, { ...range, before: null, limit: 1 }, signal);
  return { events, latest: latest[0]?.text ?? null, overMs };
}
