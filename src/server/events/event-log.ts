import type { DroverEvent } from "#model/app.ts";

export type NewEvent = Pick<DroverEvent, "kind" | "message"> & Partial<Pick<DroverEvent, "space" | "app" | "subject" | "details">>;

export interface EventQuery {
  readonly space?: string;
  readonly app?: string;
  /** Only what is of one of these spaces; left out: also what is of none. */
  readonly spaces?: readonly string[];
  /** Events after this sequence number. */
  readonly after?: number;
  readonly sinceMs?: number;
  /** The latest this many of what matches, oldest first. At most 1,000. */
  readonly limit?: number;
}

/** What happened and why: appended, queryable, bounded (the oldest go first). Never part of a decision. */
export interface EventLog {
  /** Stamps and keeps it. Durable a moment later, with others; an event is never worth blocking an action. */
  append(event: NewEvent): DroverEvent;
  query(query: EventQuery): readonly DroverEvent[];
  /** Everything that matches and comes after `query.after` (default: from now on), until the signal aborts. @throws {DroverError} COMPACTED if that is no longer kept, or if the reader falls too far behind. */
  follow(query: Omit<EventQuery, "limit" | "sinceMs">, signal: AbortSignal): AsyncIterable<DroverEvent>;
  close(): Promise<void>;
}
