import { closeSync, existsSync, openSync, readSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { revisionOf, type VersionRow } from "./journal.ts";
import { Damage, readRow } from "./records.ts";
import { checkTables, isEmpty, type Meta, readMeta } from "./schema.ts";
import { type OpenDatabase, sqliteCode } from "./sqlite-database.ts";
import type { Testimony } from "./witness.ts";

export interface Verified {
  readonly meta: Meta;
  readonly revision: number;
  /** In order of place. */
  readonly rows: readonly VersionRow[];
}

/**
 * Reads everything of a store's database file, without changing it, and checks all that can be checked: the pages (SQLite's quick_check), each
 * record's checksum, that no revision of the kept history is missing, and that each version follows the one before it.
 * @returns null if the file is a database in which nothing was ever made.
 * @throws {Damage} saying what is wrong and where.
 * @throws {DroverError} STORE_TOO_NEW
 */
export function verifyFile(file: string, open: OpenDatabase): Verified | null {
  try {
    checkHeader(file);
    const database = open(file, { readOnly: true });
    try {
      return isEmpty(database) ? null : verifyDatabase(database);
    } finally {
      database.close();
    }
  } catch (error) {
    // While only reading, an error of SQLite's own means that the file is not as SQLite wrote it.
    if (sqliteCode(error) === null) throw error;
    throw new Damage(`SQLite says: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/**
 * That the file ends no earlier than its server once said.
 * @throws {Damage} if it does.
 */
export function checkTestimony(testimony: Testimony | "unreadable" | null, verified: Verified | null): void {
  if (testimony === null || testimony === "unreadable") return;
  if (verified === null) throw new Damage(`store.db is missing or empty, and revision ${testimony.revision} was acknowledged`);
  const { meta, revision } = verified;
  if (testimony.epoch > meta.epoch || testimony.term > meta.term || testimony.revision > revision) {
    throw new Damage(
      `store.db and store.db-wal end at revision ${revision} of term ${meta.term}, and revision ${testimony.revision} of term ${testimony.term} ` +
        "was acknowledged: the end of store.db-wal is missing or damaged, or an older copy was put in place",
    );
  }
}

/** SQLite would take a database whose header says "no write-ahead log" at its word, and delete a log that is there. */
function checkHeader(file: string): void {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, "r");
  let length: number;
  try {
    length = readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (length === 0) return;
  if (header.toString("latin1", 0, 16) !== "SQLite format 3\0") throw new Damage("the first bytes of the file are not those of a database");
  const [writer, reader] = [header[18], header[19]];
  const hasLog = existsSync(`${file}-wal`);
  if (writer !== reader || (writer !== 2 && (writer !== 1 || hasLog)))
    throw new Damage(`the header names journal format ${writer}/${reader}`);
}

function verifyDatabase(database: DatabaseSync): Verified {
  const [first] = database.prepare("PRAGMA quick_check(1)").all();
  if (first?.["quick_check"] !== "ok") throw new Damage(`SQLite's quick_check says: ${String(first?.["quick_check"])}`);
  checkTables(database);
  const meta = readMeta(database);
  const rows = database.prepare("SELECT * FROM versions ORDER BY place").all().map(readRow);
  return { meta, revision: checkHistory(rows, meta.compactedRevision), rows };
}

/** The latest revision. */
function checkHistory(rows: readonly VersionRow[], compactedRevision: number): number {
  const latest = new Map<string, VersionRow>();
  let revision = compactedRevision;
  for (const row of rows) {
    const own = revisionOf(row.place);
    const previous = latest.get(row.key);
    if (own > compactedRevision) {
      if (own !== revision && own !== revision + 1)
        throw new Damage(`revision ${revision + 1} is missing, after which revision ${own} came`);
      revision = own;
      if ((previous?.place ?? 0) !== row.previousPlace) throw new Damage(`the version of "${row.key}" before revision ${own} is missing`);
    } else if (previous !== undefined || row.value === null) {
      throw new Damage(`revision ${own} of "${row.key}" should have been forgotten`);
    }
    if (row.value === null) latest.delete(row.key);
    else latest.set(row.key, row);
  }
  return revision;
}
