import type { BudgetRule } from "./intake-budget.ts";

export interface LogRules {
  /** What one app may add; more is dropped and counted. */
  readonly intake: BudgetRule;
  /** What is read from one instance at all; past it the app is slowed down. */
  readonly read: BudgetRule;
  /** Of a segment before it is compressed: the smaller, the more of them a search passes over, and the worse they compress. */
  readonly segmentBytes: number;
  readonly appBytes: number;
  readonly totalBytes: number;
  readonly ageMs: number;
}

const mebibyte = 2 ** 20;

/**
 * An app may burst by as much as a stack trace storm prints and then go on at a rate that fills its disk share in a quarter of a minute, not in a
 * moment; a machine's logs stay below a gigabyte.
 */
export const defaultLogRules: LogRules = {
  intake: { bytesPerSecond: 4 * mebibyte, burstBytes: 16 * mebibyte },
  read: { bytesPerSecond: 64 * mebibyte, burstBytes: 64 * mebibyte },
  segmentBytes: mebibyte,
  appBytes: 64 * mebibyte,
  totalBytes: 1024 * mebibyte,
  ageMs: 14 * 24 * 3_600_000,
};
