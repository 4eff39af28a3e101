import type { DroverEvent } from "#model/app.ts";

export type NewEvent = Pick<DroverEvent, "kind" | "message"> & Partial<Pick<DroverEvent, "space" | "app" | "subject" | "details" | "by">>;

export interface EventQuery {
  /** null: only what is of no space. */
  readonly space?: string | null;
  readonly app?: string;
  readonly subject?: string;
  /** Only these kinds. */
  readonly kinds?: readonly string[];
  /** Any but these. */
  readonly notKinds?: readonly string[];
  /** Only what is of one of these spaces; left out: also what is of none. */
  readonly spaces?: readonly string[];
  /** Events after this sequence number. */
  readonly after?: number;
  /** Events before this sequence number. */
  readonly before?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** The latest this many of what matches, oldest first. Default 200, at most 20,000. */
  readonly limit?: number;
}

/** What happened and why: appended, queryable, bounded (the oldest go first). Never part of a decision. */
export interface EventLog {
  /** Stamps and keeps it. Durable a moment later, with others; an event is never worth blocking an action. */
  append(event: NewEvent): DroverEvent;
  query(query: EventQuery): readonly DroverEvent[];
  /** Everything that matches and comes after `query.after` (default: from now on), until the signal aborts. @throws {DroverError} COMPACTED if that is no longer kept, or if the reader falls too far behind. */
  follow(query: Pick<EventQuery, "space" | "app" | "spaces" | "after">, signal: AbortSignal): AsyncIterable<DroverEvent>;
  /** When the oldest event that is kept happened; null while there is none. */
  oldestAtMs(): number | null;
  close(): Promise<void>;
}

/** Where whoever changes something tells of it. */
export type EventSink = Pick<EventLog, "append">;

/** The same log for what one person does: every event says who. */
export function signedBy(events: EventSink, by: string): EventSink {
  return { append: (event) => events.append({ ...event, by }) };
}
