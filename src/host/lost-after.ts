import { DroverError } from "#model/errors.ts";
import { parseDurationMs } from "#model/quantities.ts";

/** A link is given up after five seconds of silence at the earliest: nothing is known to be lost before. */
const shortestMs = 5_000;
const longestMs = 10 * 60_000;

/** Reads `--lost-after`; null if it was left out. @throws {DroverError} USAGE. */
export function readLostAfter(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDurationMs(text);
  if (ms !== null && ms >= shortestMs && ms <= longestMs) return ms;
  throw new DroverError("USAGE", `"${text}" is no time from 5s to 10m`, { hint: "Use a time such as 30s, or leave it out." });
}
