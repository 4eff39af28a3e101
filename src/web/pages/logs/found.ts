import type { LogEventView, LogPage, LogTailItem } from "#model/api-logs.ts";
import type { ApiError } from "../../api/client.ts";
import { nameOf } from "./event-words.ts";

/** Events of a page, and those that are kept in it: more is asked for by a narrower search. */
export const pageEvents = 200;
export const keptEvents = 10_000;

/** What is known of the events that match. */
export interface Found {
  /** Newest first. */
  readonly events: readonly LogEventView[];
  readonly isLoading: boolean;
  readonly error: ApiError | null;
  /** The last answer; null before the first. */
  readonly page: LogPage | null;
  /** Machines that are not heard at the moment, while it is live. */
  readonly unheard: readonly string[];
}

export const nothing: Found = { events: [], isLoading: false, error: null, page: null, unheard: [] };

/** With a page from further back. */
export function withOlder(known: readonly LogEventView[], older: readonly LogEventView[]): readonly LogEventView[] {
  const names = new Set(known.map(nameOf));
  return [...known, ...older.filter((event) => !names.has(nameOf(event)))].slice(0, keptEvents);
}

/** With what a search found of a time that no stream was heard in; it may lie between what is known. */
export function withMissed(known: readonly LogEventView[], missed: readonly LogEventView[]): readonly LogEventView[] {
  const names = new Set(known.map(nameOf));
  const fresh = missed.filter((event) => !names.has(nameOf(event)));
  if (fresh.length === 0) return known;
  return [...known, ...fresh].sort((a, b) => b.atMs - a.atMs || b.sequence - a.sequence).slice(0, keptEvents);
}

/** With what has come since. */
export function withTail(found: Found, items: readonly LogTailItem[]): Found {
  const names = new Set(found.events.slice(0, items.length + pageEvents).map(nameOf));
  const events: LogEventView[] = [];
  let unheard = found.unheard;
  for (const item of items) {
    if (item.kind === "event") {
      // What came between the search and the stream may be in both.
      if (!names.has(nameOf(item.event))) events.push(item.event);
    } else {
      unheard = unheard.filter((machine) => machine !== item.machine);
      if (item.kind === "silent") unheard = [...unheard, item.machine];
    }
  }
  return { ...found, unheard, events: [...events.reverse(), ...found.events].slice(0, keptEvents) };
}
