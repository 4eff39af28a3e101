import type { AppLog } from "./app-log.ts";

export interface RetentionRules {
  readonly appBytes: number;
  readonly totalBytes: number;
  readonly ageMs: number;
}

/** Removes the oldest segments, first of apps that are over their own bound, then of all, then those past their age. */
export async function expireLogs(logs: readonly AppLog[], rules: RetentionRules, nowMs: number): Promise<void> {
  for (const log of logs) while (log.bytes > rules.appBytes && (await log.expireOldest()) > 0);
  for (;;) {
    const oldest = oldestOf(logs);
    if (oldest === null) return;
    const isOver = logs.reduce((sum, { bytes }) => sum + bytes, 0) > rules.totalBytes;
    if (!isOver && nowMs - oldest.atMs < rules.ageMs) return;
    await oldest.log.expireOldest();
  }
}

function oldestOf(logs: readonly AppLog[]): { readonly log: AppLog; readonly atMs: number } | null {
  let oldest: { readonly log: AppLog; readonly atMs: number } | null = null;
  for (const log of logs) {
    const atMs = log.oldestAtMs;
    if (atMs !== null && (oldest === null || atMs < oldest.atMs)) oldest = { log, atMs };
  }
  return oldest;
}
