import { maskText } from "#model/log-mask.ts";
import type { InstanceId } from "#model/names.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";
import type { AppLog, LogPosition } from "./app-log.ts";
import { linesOf } from "./frame.ts";
import type { LogSelection } from "./log-selection.ts";
import type { LineMasks } from "./search/line-masks.ts";

/** Most lines that one query gets before it follows. */
const mostLines = 10_000;
/** Most text that one query gets before it follows: as much as 10,000 long lines would be too much to hold for every reader at once. */
const mostBytes = 16 * 2 ** 20;

export interface HistoryQuery extends Pick<LogQuery, "tail" | "sinceMs" | "contains"> {
  readonly selection: LogSelection;
  /** What is not shown, and so is not found. */
  readonly masks: LineMasks;
}

/** The latest matching lines of several apps up to the given positions, in the order of time, oldest first. */
export async function readHistory(
  logs: readonly { readonly log: AppLog; readonly position: LogPosition }[],
  query: HistoryQuery,
  turns: () => Promise<void> | null,
  signal: AbortSignal,
): Promise<readonly LogLine[]> {
  const wanted = Math.min(Math.max(0, query.tail), mostLines);
  let merged: readonly LogLine[] = [];
  if (wanted === 0) return merged;
  for (const { log, position } of logs) {
    // Once there are enough, nothing older than the oldest of them is wanted.
    const oldestMs = merged.length < wanted ? null : (merged[0]?.atMs ?? null);
    const sinceMs = oldestMs === null ? query.sinceMs : Math.max(oldestMs, query.sinceMs ?? 0);
    merged = newest(mergeByTime(merged, await readNewest(log, position, { ...query, sinceMs }, wanted, turns, signal)), wanted);
    await turns();
  }
  return merged;
}

/** Cut to the newest that fit: each app alone may have filled the bounds. */
function newest(lines: readonly LogLine[], wanted: number): readonly LogLine[] {
  let bytes = 0;
  let from = lines.length;
  while (from > 0 && lines.length - from < wanted && bytes < mostBytes) bytes += lines[--from]?.text.length ?? 0;
  return lines.slice(from);
}

async function readNewest(
  log: AppLog,
  position: LogPosition,
  { selection, sinceMs, contains, masks }: HistoryQuery,
  wanted: number,
  turns: () => Promise<void> | null,
  signal: AbortSignal,
): Promise<readonly LogLine[]> {
  const newestFirst: LogLine[] = [];
  const earliest = new Map<InstanceId, LogLine>();
  // What holds a star may be a mask, where something else stands.
  const needle = contains === null || contains.includes("*") ? null : Buffer.from(contains);
  let bytes = 0;
  for await (const frame of log.readBack(position, { has: selection.has, sinceMs }, signal)) {
    await turns();
    if (needle !== null && !frame.body.includes(needle)) continue;
    for (const line of [...linesOf(frame)].reverse()) {
      if (contains !== null && !maskText(line.text, masks.of(line.instance)).includes(contains)) continue;
      if (newestFirst.length === wanted || bytes >= mostBytes) return newestFirst.reverse();
      newestFirst.push(line);
      bytes += line.text.length;
      earliest.set(line.instance, line);
    }
  }
  const lines = newestFirst.reverse();
  // All that is kept was read and more was wanted: where an instance had earlier lines, that they are gone must show.
  return sinceMs === null && contains === null ? lines.flatMap((line) => [...expiredBefore(line, earliest), line]) : lines;
}

function expiredBefore(line: LogLine, earliest: ReadonlyMap<InstanceId, LogLine>): readonly LogLine[] {
  if (earliest.get(line.instance) !== line || line.sequence === 1) return [];
  const text = `${line.sequence - 1} earlier lines are no longer kept`;
  return [{ ...line, sequence: line.sequence - 1, text, source: "drover" }];
}

/** Keeps the order within each side, whatever the clock did. */
function mergeByTime(left: readonly LogLine[], right: readonly LogLine[]): readonly LogLine[] {
  if (left.length === 0) return right;
  const merged: LogLine[] = [];
  let from = 0;
  for (const line of right) {
    for (let other = left[from]; other !== undefined && other.atMs <= line.atMs; other = left[++from]) merged.push(other);
    merged.push(line);
  }
  return [...merged, ...left.slice(from)];
}

/**
 * Passes lines on and says where some between two of one instance are missing, for whatever reason: damage on the disk or a crash. To be
 * used where every line of an instance is wanted.
 */
export function createGapFinder(): (line: LogLine) => readonly LogLine[] {
  const last = new Map<InstanceId, number>();
  return (line) => {
    const before = last.get(line.instance);
    last.set(line.instance, line.sequence);
    if (before === undefined || line.source === "drover" || line.sequence <= before + 1) return [line];
    const missing = line.sequence - before - 1;
    return [{ ...line, sequence: line.sequence - 1, text: `${missing} lines are missing here`, source: "drover" }, line];
  };
}
