import type { Measurement } from "#model/measurement.ts";

/** What of its time a check looks at, in epoch milliseconds. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  /** Whether that is all of its time. Of a part, only what nothing that follows can change says anything. */
  readonly isWhole: boolean;
}

/**
 * The time that a check over `overMs` looks at. It begins no earlier than what it looks at was mended: what was before says nothing of what came of that.
 * Before `mendedAtMs` is reached, within a quiet period, it looks back as ever: such results are recorded only. Null when nothing has passed since.
 * @param mendedAtMs null: no step acted there
 * @param stepMs between two figures; they are of the end of a step, so what is not one whole step after the mend is left out
 */
export function windowOf(overMs: number, nowMs: number, mendedAtMs: number | null, stepMs = 1): Window | null {
  const toMs = Math.floor(nowMs / stepMs) * stepMs;
  const whole: Window = { fromMs: toMs - overMs, toMs, isWhole: true };
  if (mendedAtMs === null || mendedAtMs > nowMs) return whole;
  const sinceMs = Math.ceil(mendedAtMs / stepMs) * stepMs;
  if (sinceMs <= whole.fromMs) return whole;
  return sinceMs < toMs ? { fromMs: sinceMs, toMs, isWhole: false } : null;
}

/**
 * Whether what a figure comes to over a part of its time says how the condition comes out over the whole: what only grows is above for good once it is, and
 * the last value needs no time. A rate, an average, a quantile and a share need all of it.
 */
export function isSettledEarly({ fn, of, aggregate }: Measurement, is: "above" | "below", isOk: boolean): boolean {
  if (of !== null) return false;
  if (fn === "last") return true;
  const onlyGrows = (fn === "increase" || fn === "max") && (aggregate === "sum" || aggregate === "max");
  return onlyGrows && isOk === (is === "below");
}
