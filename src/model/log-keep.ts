import { parseDurationMs, parseSizeBytes } from "./quantities.ts";
import type { SpaceLogs } from "./space-logs-schemas.ts";

/* How long lines are kept: as each space declares it, on each machine by itself. */

/** What a space asks for; null: as the machine has it for spaces that say nothing. */
export interface KeepRule {
  /** Lines older than this go, in milliseconds. */
  readonly ageMs: number | null;
  /** All lines of the space together may take so much of each machine's disk. */
  readonly bytes: number | null;
}

/** What a space says of how long its lines are kept. */
export function keepRuleOf({ logs }: { readonly logs?: SpaceLogs }): KeepRule {
  const { age, size } = logs?.keep ?? {};
  return {
    ageMs: age === undefined ? null : parseDurationMs(age),
    bytes: size === undefined ? null : parseSizeBytes(size),
  };
}

/** By space; one that is not here says nothing. */
export type KeepRules = Readonly<Record<string, KeepRule>>;

/** Lines of one app that a machine keeps. */
export interface KeptLines {
  /** `space/app`. */
  readonly app: string;
  /** On the disk, with the index. */
  readonly bytes: number;
  readonly lines: number;
  /** When the oldest of them was read; null: there are none. */
  readonly sinceMs: number | null;
  /** Lines that are kept no longer, as far as is known. */
  readonly expiredLines: number;
}

/** What a machine keeps, and the bounds that hold there for spaces that say nothing, and for all together. */
export interface KeptLogs {
  readonly apps: readonly KeptLines[];
  readonly ageMs: number;
  readonly appBytes: number;
  readonly totalBytes: number;
}
