import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { LogTest } from "#model/check-orders.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { formatDuration } from "#model/quantities.ts";

/** What one attempt found. */
export interface Finding {
  readonly isOk: boolean;
  /** In words, with what was found and what was wanted; one line of at most `longestMessage` characters. */
  readonly message: string;
  /** Performance data as a Nagios plugin wrote it, `/=60%;80;90 /var=12%`; missing where there is none. */
  readonly performance?: string;
}

/** Long enough for the one line that says why, short enough for a list of them. */
const longestMessage = 300;
/** Some dozens of values. */
const longestPerformance = 2_000;

export function passed(message: string): Finding {
  return { isOk: true, message: oneLine(message) };
}

export function failed(message: string): Finding {
  return { isOk: false, message: oneLine(message) };
}

/** The same finding with performance data, if there is any. Of more than is kept the last values go, each of them as a whole. */
export function withPerformance(finding: Finding, performance: string): Finding {
  const line = performance.replace(/\s+/g, " ").trim();
  if (line === "") return finding;
  const end = line.length <= longestPerformance ? line.length : line.lastIndexOf(" ", longestPerformance);
  return end <= 0 ? finding : { ...finding, performance: line.slice(0, end) };
}

/** What was found since the last step does not say yet whether the promise holds over its whole time. */
export function undecided(found: string, overMs: number): DroverError {
  return new DroverError("CHECK_UNDECIDED", `${found} since the last step, which says too little of ${formatDuration(overMs)}`, {
    hint: "It counts what came since the step alone, and says something once that is as long as its `over`.",
  });
}

/** Text of others in one line of bounded length. Whoever shows it still has to escape it. */
export function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= longestMessage ? line : `${line.slice(0, longestMessage - 1)}…`;
}

/**
 * The host that a test names, or the target's own address.
 * @throws {DroverError} CHECK_IMPOSSIBLE where there is neither: that says nothing about the target, so nothing may be mended for it
 */
export function hostOf(host: string | null, address: string | null): string {
  const name = host ?? address;
  if (name !== null) return name;
  throw new DroverError("CHECK_IMPOSSIBLE", "the check names no host, and its target has no address", {
    hint: "Name one in the check: `host: 10.0.0.7`.",
  });
}

export interface CommandEnd {
  /** Null when it was ended. */
  readonly exitCode: number | null;
  /** The beginning of its output, bounded. */
  readonly output: string;
}

/** Runs a user's command line to its end within `signal`, and ends all that it started. */
export type RunCheckCommand = (run: string, env: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<CommandEnd>;

export interface CountedLogs {
  readonly events: number;
  /** The text of the latest, where there are too many. */
  readonly latest: string | null;
  /** What was looked at: less than the test's time after a step that mended, whose result is counted by itself. */
  readonly overMs: number;
}

/** Counts what a search of logs matches. Throws what says nothing about the logs. */
export type CountLogs = (test: LogTest, signal: AbortSignal) => Promise<CountedLogs>;

/** What a check is made with, besides itself. */
export interface CheckSurroundings {
  /** Name of the target, which `{target}` in the test's texts stands for. */
  readonly target: string;
  /** Address of the target where the test names no host of its own; null for a target without one. */
  readonly address: string | null;
  readonly resolve: ResolveOutgoing;
  readonly clock: Clock;
  /** Null in a program that runs no commands of users. */
  readonly runCommand: RunCheckCommand | null;
  /** Null in a program that cannot ask all machines. */
  readonly countLogs: CountLogs | null;
}
