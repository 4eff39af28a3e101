import type { TimelineSpan } from "#model/api-history.ts";
import type { TimeRange } from "../../state/time-range.ts";

export interface PlacedSpan {
  readonly span: TimelineSpan;
  /** Row within its lane, from 0. */
  readonly row: number;
  /** Of the width, 0 to 1. */
  readonly from: number;
  readonly to: number;
}

/** So narrow that it could not be hit: a moment, or something that was over at once. */
const leastShare = 0.004;
/** What stands closer than this in one row looks like one. */
const gapShare = 0.002;
/** A lane that is higher hides the others. */
export const mostRows = 6;

/**
 * Where each span of a lane stands: in the first row that is free there.
 * @returns those that have a place, and how many have none
 */
export function layOut(
  spans: readonly TimelineSpan[],
  { fromMs, toMs }: TimeRange,
): { readonly placed: readonly PlacedSpan[]; readonly rows: number; readonly hidden: number } {
  const long = toMs - fromMs;
  const share = (atMs: number) => Math.min(1, Math.max(0, (atMs - fromMs) / long));
  const ends: number[] = [];
  const placed: PlacedSpan[] = [];
  let hidden = 0;
  const inTime = spans.filter(({ startMs, endMs }) => (startMs ?? fromMs) <= toMs && (endMs ?? toMs) >= fromMs);
  for (const span of inTime.toSorted((a, b) => (a.startMs ?? fromMs) - (b.startMs ?? fromMs))) {
    const from = Math.min(share(span.startMs ?? fromMs), 1 - leastShare);
    const to = Math.max(share(span.endMs ?? toMs), from + leastShare);
    const free = ends.findIndex((end) => end + gapShare <= from);
    const row = free === -1 ? ends.length : free;
    if (row >= mostRows) {
      hidden++;
      continue;
    }
    ends[row] = to;
    placed.push({ span, row, from, to });
  }
  return { placed, rows: ends.length, hidden };
}
