import type { LogEvent, LogScope } from "./log-event.ts";
import { isCount, isNumber, isRecord } from "./shape.ts";

/*
 * Sending logs to others: the server asks each agent for what a destination has not got yet, and remembers how far it got. An agent's own segments
 * are the buffer; it remembers nothing of destinations itself.
 */

/** Where a reader of an app's log stands: what lies before it was read. */
export interface LogPlace {
  readonly segment: number;
  /** Of the segment's frames. */
  readonly bytes: number;
  /** How many lines the app had printed up to here, with those that retention has removed since. */
  readonly lines: number;
  /** When the last of them was read. */
  readonly atMs: number;
  /** The last frame before it, by which the log is known again: another app may have the name by now. */
  readonly last: { readonly bytes: number; readonly crc: number };
}

/** By app; one that is left out was not read yet. */
export type LogPlaces = Readonly<Record<string, LogPlace>>;

interface Unread extends LogScope {
  readonly places: LogPlaces;
  /** Of an app without a place, lines from this moment on. */
  readonly sinceMs: number;
}

/** Asks for an answer as soon as there is something unread, or after this long. */
export interface UnsentQuestion extends Unread {
  readonly waitMs: number;
}

/** How far behind a reader is, as far as can be told without reading. */
export interface UnsentAnswer {
  readonly lines: number;
  readonly bytes: number;
  /** What is unread was printed after this moment; null: nothing is. */
  readonly sinceMs: number | null;
}

export interface UnsentRead extends Unread {
  /** As people write it; only events that match are given. */
  readonly query: string;
  /** Apps have their turns: this one had the last. */
  readonly after: string | null;
  /** Of text; may be exceeded by one stack trace. */
  readonly limitBytes: number;
}

export interface UnsentBatch {
  /** Those of an app in the order in which it printed them. */
  readonly events: readonly LogEvent[];
  /** After it, of each app whose place is another one now. */
  readonly places: LogPlaces;
  /** Whose turn was the last; null: nobody had one. */
  readonly last: string | null;
  /** Lines that are gone, by retention or damage, and were never read. */
  readonly lostLines: number;
}

export function isLogPlace(value: unknown): value is LogPlace {
  if (!isRecord(value) || !isRecord(value["last"])) return false;
  const { segment, bytes, lines, atMs, last } = value;
  return (
    isNumber(atMs) && [segment, lines, last["crc"]].every(isCount) && isCount(bytes) && isCount(last["bytes"]) && last["bytes"] <= bytes
  );
}
