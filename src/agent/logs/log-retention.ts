import type { KeepRules } from "#model/log-keep.ts";
import type { AppLog } from "./app-log.ts";

export interface RetentionRules {
  /** Of each app of a space that does not say how much it wants. */
  readonly appBytes: number;
  readonly totalBytes: number;
  /** Of spaces that do not say. */
  readonly ageMs: number;
}

type Logs = readonly AppLog[];

/**
 * Removes what is past its age, and then the oldest of whoever has too much: an app, a space, all together. Of all together the space that has most
 * gives, and of a space the app that has most: so the flood of one shortens what another keeps only once that has as much.
 */
export async function expireLogs(logs: Logs, rules: RetentionRules, spaces: KeepRules, nowMs: number): Promise<void> {
  const bySpace = Map.groupBy(logs, spaceOf);
  for (const [space, own] of bySpace) {
    const { ageMs = null, bytes = null } = spaces[space] ?? {};
    const lostAtMs = nowMs - (ageMs ?? rules.ageMs);
    for (const log of own) while ((log.oldestAtMs ?? nowMs) <= lostAtMs && (await log.expireOldest()) > 0);
    if (bytes === null) for (const log of own) await shrink([log], rules.appBytes);
    else await shrink(own, bytes);
  }
  let left = [...bySpace.values()];
  while (left.length > 0 && bytesOf(logs) > rules.totalBytes) {
    const largest = largestOf(left, bytesOf);
    // What is written to stays, however much that is.
    if (largest !== null && !(await expireOne(largest))) left = left.filter((one) => one !== largest);
  }
}

/** Whether {@link expireLogs} would find too much; what is past its age apart. */
export function isOverBounds(log: AppLog, logs: Iterable<AppLog>, rules: RetentionRules, spaces: KeepRules): boolean {
  const bytes = spaces[spaceOf(log)]?.bytes ?? null;
  if (bytes === null && log.bytes > rules.appBytes) return true;
  let [ofSpace, total] = [0, 0];
  for (const one of logs) {
    total += one.bytes;
    if (spaceOf(one) === spaceOf(log)) ofSpace += one.bytes;
  }
  return total > rules.totalBytes || (bytes !== null && ofSpace > bytes);
}

async function shrink(logs: Logs, mostBytes: number): Promise<void> {
  while (bytesOf(logs) > mostBytes && (await expireOne(logs)));
}

/** The oldest of the app that has most and can give any. */
async function expireOne(logs: Logs): Promise<boolean> {
  const largest = largestOf(
    logs.filter(({ oldestAtMs }) => oldestAtMs !== null),
    ({ bytes }) => bytes,
  );
  return largest !== null && (await largest.expireOldest()) > 0;
}

function largestOf<T>(all: readonly T[], sizeOf: (one: T) => number): T | null {
  return all.reduce<T | null>((largest, one) => (largest === null || sizeOf(one) > sizeOf(largest) ? one : largest), null);
}

function bytesOf(logs: Logs): number {
  return logs.reduce((sum, { bytes }) => sum + bytes, 0);
}

function spaceOf({ app }: AppLog): string {
  return app.slice(0, app.indexOf("/"));
}
