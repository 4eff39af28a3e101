import { mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { errorFields } from "#host/log.ts";
import type { DroverEvent } from "#model/app.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_NOTADB, sqliteCode } from "../store/sqlite-database.ts";
import { WakeQueue } from "../wake-queue.ts";
import type { EventLog, EventQuery, NewEvent } from "./event-log.ts";

/** Months of a small installation; some 60 MB. */
const mostKept = 200_000;
/** Events that wait in memory while they cannot be written (a full disk); then the oldest are lost, and counted. */
const mostWaiting = 2_000;
/** What a month of one busy app's deploys comes to, some 10 MB in memory. */
const mostPerQuery = 20_000;
const defaultPerQuery = 200;
/** Events that a follower reads at once. */
const eventsPerRead = 200;
/** Old events that one write removes: more than it adds, and few enough not to hold the loop. */
const removedPerWrite = 500;

/** What SQLite says of a file that is not as it wrote it. */
const damageCodes: ReadonlySet<number | null> = new Set([SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB]);

class DamagedLog extends Error {
  override readonly name = "DamagedLog";
}

const eventsTable =
  "CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, at_ms REAL NOT NULL, space TEXT, app TEXT, subject TEXT, " +
  "kind TEXT NOT NULL, message TEXT NOT NULL, details TEXT, by TEXT) STRICT; CREATE INDEX IF NOT EXISTS events_of_app ON events (space, app)";

/** Of a log that was begun before events said who. */
const addByColumn = "ALTER TABLE events ADD COLUMN by TEXT";

/** Deploys and changes of health are few among restarts and probes, and are what histories are made of. */
const kindIndex = "CREATE INDEX IF NOT EXISTS events_of_kind ON events (kind, sequence)";

type Filter = Pick<EventQuery, "space" | "app" | "subject" | "kinds" | "notKinds" | "spaces" | "before" | "sinceMs" | "untilMs"> & {
  readonly after: number;
};

/**
 * Opens the event log in `file`. Events of one turn of the loop are written together, without an fsync: a killed process loses the last turn at
 * most, a power cut some seconds. A damaged file is put aside and a new log begun, because history for people must not keep the server down.
 */
export function openEventLog({
  file,
  clock,
  log,
  keep = mostKept,
}: {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly keep?: number;
}): EventLog {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = openOrBegin(file, clock, log);
  const insert = database.prepare(
    "INSERT INTO events (sequence, at_ms, space, app, subject, kind, message, details, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const removeOld = database.prepare("DELETE FROM events WHERE sequence < ?");
  const bounds = database.prepare("SELECT min(sequence) AS first, max(sequence) AS last FROM events").get();
  let first = Number(bounds?.["first"] ?? 1);
  let written = Number(bounds?.["last"] ?? 0);
  let sequence = written;
  let waiting: DroverEvent[] = [];
  let lost = 0;
  let isWriteDue = false;
  let isFailing = false;
  let isClosed = false;
  const sleepers = new Set<() => void>();
  const wakes = new WakeQueue();

  function append({ space = null, app = null, subject = null, details = null, by = null, kind, message }: NewEvent): DroverEvent {
    const event = { sequence: ++sequence, atMs: clock.nowMs(), space, app, subject, kind, message, details, by };
    waiting.push(event);
    if (waiting.length > mostWaiting) {
      waiting.shift();
      lost++;
    }
    if (!isWriteDue && !isClosed) {
      isWriteDue = true;
      setImmediate(() => {
        isWriteDue = false;
        if (!isClosed) write();
      });
    }
    return event;
  }

  function write(): void {
    if (waiting.length === 0) return;
    const oldest = Math.min(first + removedPerWrite + waiting.length, sequence - keep + 1);
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const { sequence, atMs, space, app, subject, kind, message, details, by } of waiting)
        insert.run(sequence, atMs, space, app, subject, kind, message, JSON.stringify(details), by);
      if (oldest > first) removeOld.run(oldest);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      if (!isFailing) log.error("events cannot be written; they wait in memory", errorFields(error));
      isFailing = true;
      return;
    }
    isFailing = false;
    waiting = [];
    written = sequence;
    first = Math.max(first, oldest);
    for (const wake of sleepers) wakes.add(wake);
    sleepers.clear();
    if (lost === 0) return;
    const message = `${lost} events were lost while they could not be written`;
    log.warn("events were lost while they could not be written", { lost });
    lost = 0;
    append({ kind: "events.lost", message });
  }

  function select(
    { space, app, subject, kinds, notKinds, spaces, after, before, sinceMs, untilMs }: Filter,
    order: "ASC" | "DESC",
    limit: number,
  ): DroverEvent[] {
    const conditions = ["sequence > ?"];
    const values: SQLInputValue[] = [after];
    for (const [condition, value] of [
      ["space IS ?", space],
      ["app = ?", app],
      ["subject = ?", subject],
      ["sequence < ?", before],
      ["at_ms >= ?", sinceMs],
      ["at_ms < ?", untilMs],
    ] as const) {
      if (value === undefined) continue;
      conditions.push(condition);
      values.push(value);
    }
    for (const [column, among] of [
      ["kind IN", kinds],
      ["kind NOT IN", notKinds],
      ["space IN", spaces],
    ] as const) {
      if (among === undefined) continue;
      conditions.push(`${column} (${among.map(() => "?").join(", ")})`);
      values.push(...among);
    }
    const sql = `SELECT * FROM events WHERE ${conditions.join(" AND ")} ORDER BY sequence ${order} LIMIT ?`;
    return database
      .prepare(sql)
      .all(...values, limit)
      .map(eventOf);
  }

  function checkKept(after: number): void {
    if (after + 1 >= first && after <= sequence) return;
    throw new DroverError("COMPACTED", `the event log holds events ${first} to ${sequence}, and what came after ${after} was asked for`, {
      hint: "Query the latest events and follow from there.",
      details: { after, first, last: sequence },
    });
  }

  async function* follow(filter: Filter, signal: AbortSignal): AsyncGenerator<DroverEvent> {
    let cursor = filter.after;
    while (!signal.aborted && !isClosed) {
      checkKept(cursor);
      const newest = written;
      const events = select({ ...filter, after: cursor }, "ASC", eventsPerRead);
      for (const event of events) {
        yield event;
        if (signal.aborted || isClosed) return;
        cursor = event.sequence;
      }
      if (events.length === eventsPerRead) continue;
      cursor = Math.max(cursor, newest);
      if (cursor >= written) await nextWrite(signal);
    }
  }

  async function nextWrite(signal: AbortSignal): Promise<void> {
    if (signal.aborted || isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    sleepers.add(wake);
    signal.addEventListener("abort", wake);
    await promise;
    signal.removeEventListener("abort", wake);
    sleepers.delete(wake);
  }

  return {
    append,
    query({ limit = defaultPerQuery, after = 0, ...filter }) {
      write();
      return select({ ...filter, after }, "DESC", Math.min(limit, mostPerQuery)).reverse();
    },
    follow({ after = sequence, ...filter }, signal) {
      checkKept(after);
      return follow({ ...filter, after }, signal);
    },
    oldestAtMs() {
      write();
      const oldest = database.prepare("SELECT at_ms FROM events ORDER BY sequence LIMIT 1").get();
      return oldest === undefined ? null : Number(oldest["at_ms"]);
    },
    async close() {
      if (isClosed) return;
      write();
      isClosed = true;
      for (const wake of sleepers) wake();
      database.close();
    },
  };
}

function eventOf(row: Record<string, SQLOutputValue>): DroverEvent {
  const text = (column: string) => (row[column] === null ? null : String(row[column]));
  return {
    sequence: Number(row["sequence"]),
    atMs: Number(row["at_ms"]),
    space: text("space"),
    app: text("app"),
    subject: text("subject"),
    kind: String(row["kind"]),
    message: String(row["message"]),
    details: JSON.parse(text("details") ?? "null"),
    by: text("by"),
  };
}

function openOrBegin(file: string, clock: Clock, log: Log): DatabaseSync {
  try {
    return openAndCheck(file);
  } catch (error) {
    if (!(error instanceof DamagedLog) && !damageCodes.has(sqliteCode(error))) throw error;
    const aside = `${file}.damaged-${clock.nowMs()}`;
    log.error("the event log is damaged; it was put aside and a new one begun", { file: aside, ...errorFields(error) });
    renameSync(file, aside);
    for (const end of ["-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
    return openAndCheck(file);
  }
}

function openAndCheck(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(eventsTable);
    if (
      !database
        .prepare("PRAGMA table_info(events)")
        .all()
        .some(({ name }) => name === "by")
    )
      database.exec(addByColumn);
    database.exec(kindIndex);
    const [answer] = database.prepare("PRAGMA quick_check(1)").all();
    if (answer?.["quick_check"] !== "ok") throw new DamagedLog(String(answer?.["quick_check"]));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
