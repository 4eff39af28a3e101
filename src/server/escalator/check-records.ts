import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { errorFields } from "#host/log.ts";
import type { CheckChange, CheckState, CheckVerdict } from "#model/check.ts";
import type { Log } from "#model/log.ts";
import type { CheckId, SpaceName } from "#model/names.ts";

/** Years of a healthy installation, weeks of a fluttering one; some 50 MB. */
const keptChanges = 100_000;
/** Old changes that one write removes: more than it adds. */
const removedPerWrite = 500;
/** Writes that wait in memory while they cannot be made (a full disk): the newest state of each check, and this many changes. */
const waitingChanges = 2_000;
const mostPerQuery = 1_000;

const tables =
  "CREATE TABLE IF NOT EXISTS states (space TEXT NOT NULL, check_id TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (space, check_id)) STRICT, WITHOUT ROWID; " +
  "CREATE TABLE IF NOT EXISTS changes (sequence INTEGER PRIMARY KEY, space TEXT NOT NULL, check_id TEXT NOT NULL, at_ms REAL NOT NULL, " +
  "before TEXT NOT NULL, after TEXT NOT NULL, probes TEXT NOT NULL, message TEXT NOT NULL) STRICT; " +
  "CREATE INDEX IF NOT EXISTS changes_of_check ON changes (space, check_id)";

/** What is known of checks across restarts of the server: their latest states, and every change of verdict with its evidence. */
export interface CheckRecords {
  /** What was known when the server ended. */
  states(space: SpaceName): readonly CheckState[];
  /** Written a moment later, with others. */
  keep(space: SpaceName, state: CheckState): void;
  changed(space: SpaceName, change: CheckChange): void;
  forget(space: SpaceName, check: CheckId): void;
  /** The latest changes, oldest first, at most 1,000. */
  history(space: SpaceName, check: CheckId | null, limit: number): readonly CheckChange[];
  close(): void;
}

/**
 * Opens the records in `file`. What comes in one turn of the loop is written together, without an fsync: a killed process loses the last turn at
 * most. Never part of desired state: without the file, checks are simply made anew.
 */
export function openCheckRecords({ file, log }: { readonly file: string; readonly log: Log }): CheckRecords {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  database.exec(tables);
  const upsert = database.prepare(
    "INSERT INTO states (space, check_id, state) VALUES (?, ?, ?) ON CONFLICT (space, check_id) DO UPDATE SET state = excluded.state",
  );
  const drop = database.prepare("DELETE FROM states WHERE space = ? AND check_id = ?");
  const insert = database.prepare(
    "INSERT INTO changes (space, check_id, at_ms, before, after, probes, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const trim = database.prepare(
    `DELETE FROM changes WHERE sequence IN (SELECT sequence FROM changes ORDER BY sequence LIMIT ${removedPerWrite}) AND sequence <= (SELECT max(sequence) FROM changes) - ${keptChanges}`,
  );
  /** Newest state by space and check; null: forgotten. */
  let waitingStates = new Map<string, { readonly space: SpaceName; readonly check: CheckId; readonly state: CheckState | null }>();
  let waiting: { readonly space: SpaceName; readonly change: CheckChange }[] = [];
  let isWriteDue = false;
  let isFailing = false;
  let isClosed = false;

  function due(): void {
    if (isWriteDue || isClosed) return;
    isWriteDue = true;
    setImmediate(() => {
      isWriteDue = false;
      if (!isClosed) write();
    });
  }

  function write(): void {
    if (waitingStates.size === 0 && waiting.length === 0) return;
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const { space, check, state } of waitingStates.values()) {
        if (state === null) drop.run(space, check);
        else upsert.run(space, check, JSON.stringify(state));
      }
      for (const { space, change } of waiting) {
        const { check, atMs, from, to, probes, message } = change;
        insert.run(space, check, atMs, from, to, JSON.stringify(probes), message);
      }
      if (waiting.length > 0) trim.run();
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      if (!isFailing) log.error("records of checks cannot be written; they wait in memory", errorFields(error));
      isFailing = true;
      return;
    }
    isFailing = false;
    waitingStates = new Map();
    waiting = [];
  }

  const put = (space: SpaceName, check: CheckId, state: CheckState | null) => {
    waitingStates.set(`${space} ${check}`, { space, check, state });
    due();
  };
  return {
    states: (space) => {
      write();
      return database
        .prepare("SELECT state FROM states WHERE space = ?")
        .all(space)
        .map(({ state }) => JSON.parse(String(state)) as CheckState);
    },
    keep: (space, state) => put(space, state.id, state),
    forget: (space, check) => put(space, check, null),
    changed: (space, change) => {
      waiting.push({ space, change });
      if (waiting.length > waitingChanges) waiting.shift();
      due();
    },
    history: (space, check, limit) => {
      write();
      const rows = database
        .prepare("SELECT * FROM changes WHERE space = ? AND (? IS NULL OR check_id = ?) ORDER BY sequence DESC LIMIT ?")
        .all(space, check, check, Math.min(limit, mostPerQuery));
      return rows.map(changeOf).reverse();
    },
    close: () => {
      if (isClosed) return;
      write();
      isClosed = true;
      database.close();
    },
  };
}

function changeOf(row: Record<string, SQLOutputValue>): CheckChange {
  return {
    check: String(row["check_id"]) as CheckId,
    atMs: Number(row["at_ms"]),
    from: String(row["before"]) as CheckVerdict,
    to: String(row["after"]) as CheckVerdict,
    probes: JSON.parse(String(row["probes"])),
    message: String(row["message"]),
  };
}
