import { parameter, setParameters } from "./location.ts";

/** A stretch of time that a page shows. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Stretches that end now, by what the address and the commands call them. */
export const spans = [
  ["5m", 5 * 60_000],
  ["15m", 15 * 60_000],
  ["1h", 3_600_000],
  ["6h", 6 * 3_600_000],
  ["1d", 86_400_000],
  ["3d", 3 * 86_400_000],
  ["15d", 15 * 86_400_000],
] as const;

/** Less than this is told apart by nobody. */
const shortestMs = 1_000;

/** What the address asks for: a stretch that ends now and goes on with it, or one that stays. */
export interface AskedRange {
  /** Null: it goes on with the time. */
  readonly fixed: TimeRange | null;
  /** How long it is, where it ends now. */
  readonly lastMs: number;
  readonly lastName: string;
  /** Of what is loaded: changes with what is asked for, and not with the time. */
  readonly key: string;
}

export function askedRange(usual: (typeof spans)[number][0]): AskedRange {
  const [from, to, last] = [Number(parameter("from")), Number(parameter("to")), parameter("last")];
  const [lastName, lastMs] = spans.find(([name]) => name === last) ?? spans.find(([name]) => name === usual) ?? spans[1];
  const isFixed = Number.isSafeInteger(from) && Number.isSafeInteger(to) && from > 0 && to - from >= shortestMs;
  return { fixed: isFixed ? { fromMs: from, toMs: to } : null, lastMs, lastName, key: isFixed ? `${from}-${to}` : lastName };
}

/** The stretch that is asked for, at this moment. */
export function rangeAt({ fixed, lastMs }: AskedRange, nowMs: number): TimeRange {
  return fixed ?? { fromMs: nowMs - lastMs, toMs: nowMs };
}

/** The same as the commands say it: how long ago it begins, and ends. */
export function sinceOptions({ fixed, lastName }: AskedRange): string {
  if (fixed === null) return `--since ${lastName}`;
  const ago = (atMs: number) => `${Math.max(0, Math.round((Date.now() - atMs) / 1_000))}s`;
  return `--since ${ago(fixed.fromMs)} --until ${ago(fixed.toMs)}`;
}

/** Shows this stretch from now on; it is in the address. */
export function showRange({ fromMs, toMs }: TimeRange): void {
  const [from, to] = [Math.round(fromMs), Math.round(toMs)];
  if (to - from >= shortestMs && from > 0) setParameters({ from: String(from), to: String(to) });
}

/** Shows the last stretch of this length, and goes on with the time. */
export function showLast(name: string): void {
  setParameters({ last: name, from: "", to: "" });
}
