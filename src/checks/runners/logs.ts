import type { LogTest } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
import { type CheckSurroundings, type Finding, failed, passed, undecided } from "../finding.ts";

/**
 * Not more than `most` events match within the time before now.
 * @throws {DroverError} CHECK_IMPOSSIBLE where not all machines could say, CHECK_UNDECIDED where too little time has passed since a step to say that all is well
 */
export async function checkLogs(test: LogTest, { countLogs }: CheckSurroundings, signal: AbortSignal): Promise<Finding> {
  if (countLogs === null)
    throw new DroverError("CHECK_IMPOSSIBLE", "logs are looked through by the server alone", {
      hint: "Make the check from there: `from: [server]`.",
    });
  const { events, latest, overMs } = await countLogs(test, signal);
  const counted = `${events} ${events === 1 ? "event matches" : "events match"} "${test.search}" within ${Math.round(overMs / 1_000)} s`;
  if (events <= test.most && overMs < test.overMs) throw undecided(counted, test.overMs);
  if (events <= test.most) return passed(counted);
  return failed(`${counted}, ${test.most} may${latest === null ? "" : `; the latest: ${latest}`}`);
}
