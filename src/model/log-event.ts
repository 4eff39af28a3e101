import type { LogEventFields } from "./log-fields.ts";
import type { LogKind } from "./log-kind.ts";
import type { EventLevel } from "./log-level.ts";
import type { LogMasks } from "./log-mask.ts";
import type { InstanceId, MachineId } from "./names.ts";

/** One thing that a program said: a line, or a stack trace with all its lines. */
export interface LogEvent {
  readonly machine: MachineId;
  readonly instance: InstanceId;
  /** Epoch milliseconds when the agent read its first line; events are in this order. */
  readonly atMs: number;
  /** Of its first line among those of the instance. */
  readonly sequence: number;
  /** How many lines it has: the next event's number is at least `sequence + lines`. */
  readonly lines: number;
  /** Raw text, lines joined by line feeds, escape sequences and all: whoever shows it must escape it. */
  readonly text: string;
  /** `drover`: a notice of ours in place, such as dropped lines. */
  readonly source: "app" | "drover";
  /** Null: the text says none. */
  readonly level: EventLevel | null;
  /** The time that the text itself gives; null: none. */
  readonly statedAtMs: number | null;
  readonly fields: LogEventFields;
}

/** The place of an event among all: no two have the same one. */
export type LogKey = Pick<LogEvent, "atMs" | "instance" | "sequence">;

/** Below 0 where `left` comes first. */
export function compareKeys(left: LogKey, right: LogKey): number {
  if (left.atMs !== right.atMs) return left.atMs - right.atMs;
  if (left.instance !== right.instance) return left.instance < right.instance ? -1 : 1;
  return left.sequence - right.sequence;
}

/** Which lines: those of instances below any of `of` and below none of `except`, as prefixes of {@link LogQuery}. */
export interface LogScope {
  readonly of: readonly string[];
  readonly except: readonly string[];
  /** Only lines of these kinds; left out: of all. */
  readonly kinds?: readonly LogKind[];
  /** What matches, matches as it is shown. */
  readonly masks?: LogMasks;
}

/** Who asks, so that one who asks much keeps nobody else waiting. */
interface Asked {
  /** Any text that is one caller's alone; left out: nobody's in particular. */
  readonly by?: string;
}

/** Checks ask by this name, and are answered before people: what they guard is more urgent than what somebody looks at. */
export const byChecks = "checks";

interface LogRange extends LogScope, Asked {
  /** As people write it; `parseLogQuery` says what it means. */
  readonly query: string;
  /** From this moment on; null: from the first. */
  readonly sinceMs: number | null;
  /** Before this moment; null: to the last. */
  readonly untilMs: number | null;
}

/** What the server asks of an agent. */
export interface LogSearch extends LogRange {
  /** Only events before this one; null: from the newest. */
  readonly before: LogKey | null;
  /** At most this many, the newest. */
  readonly limit: number;
}

/** What came of a search, or of a count, at one agent. */
export interface LogSearched {
  /** Older lines than this were not looked at: the search had taken its share. Null: all were. */
  readonly searchedToMs: number | null;
  /** Segments that are damaged and were passed over, by their files. */
  readonly damaged: readonly string[];
}

export interface LogSearchAnswer extends LogSearched {
  /** Newest first. */
  readonly events: readonly LogEvent[];
  /** Whether there may be older ones. */
  readonly hasMore: boolean;
}

export interface LogCount extends LogRange {
  /** Length of the first and of each further bucket from `sinceMs` on; at most `mostBuckets` fit up to `untilMs`. */
  readonly bucketMs: number;
  readonly sinceMs: number;
  readonly untilMs: number;
}

export const mostBuckets = 1_000;

export interface LogCountAnswer extends LogSearched {
  /** For each bucket, events by level, in the order of `countedLevels`. */
  readonly buckets: readonly (readonly number[])[];
}

/** `null` counts events that say no level. */
export const countedLevels = ["trace", "debug", "info", "warn", "error", "fatal", null] as const;

/** What stands around one event of an instance. */
export interface LogContext extends Asked {
  readonly instance: InstanceId;
  readonly sequence: number;
  /** How many events before and after it. */
  readonly before: number;
  readonly after: number;
}

export interface LogContextAnswer {
  /** Oldest first, the event itself among them, if it is kept still. */
  readonly events: readonly LogEvent[];
  readonly damaged: readonly string[];
}

/** Events as they come. */
export interface LogTail extends LogScope {
  readonly query: string;
  /** By what the masks are changed meanwhile, and one tail's alone; left out: they stay. */
  readonly reader?: string;
}

/** What a tail must not find from now on, in place of what it came with. */
export interface TailMasks {
  readonly reader: string;
  readonly masks: LogMasks;
}

/** `isRead`: there is such a tail. Not yet, or no longer, otherwise. */
export interface TailMasked {
  readonly isRead: boolean;
}
