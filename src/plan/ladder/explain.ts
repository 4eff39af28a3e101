import { formatDuration, took } from "#model/quantities.ts";
import type { IndexedCheck } from "./index-ladder.ts";
import type { LadderInput } from "./input.ts";
import { nameAction, type SimulateOptions, simulateLadder, type TimelineLine } from "./simulate.ts";
import { triesOf } from "./tries.ts";

/** What would happen if a check failed now, as plain JSON. */
export interface CheckExplanation {
  readonly check: string;
  readonly verdict: "unknown" | "ok" | "failing";
  /** The level that it asks for; null: watched only. */
  readonly level: string | null;
  /** In words, in order. */
  readonly lines: readonly string[];
}

/** Nothing that a person has to hear about comes later than this. */
const lookAheadMs = 3_600_000;

/**
 * What would happen if this check failed now, with all else as it is: what makes it failing, what is then done and when, or what keeps it from being
 * done, and what comes when that does not help.
 */
export function explainCheck(input: LadderInput, check: IndexedCheck, options: Pick<SimulateOptions, "silentAt"> = {}): CheckExplanation {
  const { ladder } = input.index;
  const { failures, everyMs, name } = check.check;
  const base = { check: check.id, verdict: input.states.get(check.id)?.verdict ?? "unknown", level: check.check.level };
  const level = check.asks === null ? undefined : ladder.levels[check.asks.level];
  if (check.asks === null || level === undefined) return { ...base, lines: ["nothing: it is watched only"] };
  if (input.silent.checks.has(name)) return { ...base, lines: ["nothing now: it is outside its expected hours, or in maintenance"] };
  const { nowMs } = input;
  const story = simulateLadder(input, { ...options, fail: [check.id], forMs: lookAheadMs, isMending: true });
  const runs = new Set<string>(story.escalations.filter(({ failed }) => failed.some((one) => one.check === check.id)).map(({ id }) => id));
  const own = story.lines.filter((line) => isAbout(line, runs, new Set([check.asks?.target ?? "", ...ownTargets(story, runs)])));
  const done = own.map((line) => `${whenIs(line.atMs - nowMs)}: ${sentenceOf(line)}`);
  const { attempts, remedies } = triesOf(level, check.asks.target);
  const then = remedies.map((remedy) => (remedy.kind === "action" ? nameAction(remedy.action) : wordOf(remedy.kind)));
  const often = failures === 1 ? "1 failure makes" : `${failures} failures in a row, ${formatDuration(everyMs)} apart, make`;
  return {
    ...base,
    lines: [
      `${often} it failing; then it has ${formatDuration(ladder.settleMs)} to recover by itself`,
      ...(done.length === 0 ? ["then nothing is done within an hour"] : done),
      `if that does not help, after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}: ${[...then, "people"].filter((word, i, all) => word !== all[i - 1]).join(", then ")}`,
    ],
  };
}

function ownTargets({ escalations }: ReturnType<typeof simulateLadder>, runs: ReadonlySet<string>): readonly string[] {
  return escalations.filter(({ id }) => runs.has(id)).map(({ target }) => target);
}

function isAbout(line: TimelineLine, runs: ReadonlySet<string>, targets: ReadonlySet<string>): boolean {
  if (line.kind === "waits") return targets.has(line.target);
  if (line.kind === "tell") return line.escalation === null || runs.has(line.escalation);
  return line.kind === "start" && line.escalation !== null && runs.has(line.escalation);
}

function sentenceOf({ kind, target, text }: TimelineLine): string {
  if (kind === "tell") return `people are told: ${text}`;
  return kind === "waits" ? `it waits: ${text}` : `${text} on ${target}`;
}

/** Nobody reads 3529 seconds. */
const longSeconds = 600;

function whenIs(afterMs: number): string {
  const seconds = Math.round(afterMs / 1_000);
  if (seconds === 0) return "at once";
  const isLong = seconds > longSeconds && seconds % 60 !== 0;
  return `after ${isLong ? took(seconds * 1_000) : formatDuration(seconds * 1_000)}`;
}

function wordOf(kind: "wider" | "people"): string {
  return kind === "wider" ? "the next wider level" : "people";
}
