import { DatabaseSync } from "node:sqlite";
import { DroverError, hasCode } from "#model/errors.ts";

/** Earlier versions can lose a commit when a checkpoint and a write meet in WAL mode (the WAL-reset bug, fixed in 3.51.3). */
const leastVersion = [3, 51, 3] as const;

/** @throws {DroverError} RUNTIME_TOO_OLD if this Node carries an SQLite that can lose data. */
export function checkSqliteVersion(version = sqliteVersion()): void {
  const parts = version.split(".").map(Number);
  for (const [index, least] of leastVersion.entries()) {
    const part = parts[index] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw new DroverError(
        "RUNTIME_TOO_OLD",
        `this Node carries SQLite ${version}, and the store needs ${leastVersion.join(".")} or newer`,
        {
          hint: 'Start Drover through "bin/drover", which brings its own Node.',
        },
      );
    }
  }
}

function sqliteVersion(): string {
  using database = new DatabaseSync(":memory:");
  return String(database.prepare("SELECT sqlite_version() AS version").get()?.["version"]);
}

/** Opens a database file; tests pass one that fails at a chosen call. */
export type OpenDatabase = (file: string, options: { readonly readOnly: boolean }) => DatabaseSync;

export const openDatabase: OpenDatabase = (file, { readOnly }) => new DatabaseSync(file, { readOnly, allowExtension: false });

/** SQLite's primary result code of an error, or null if it is not SQLite's. https://www.sqlite.org/rescode.html */
export function sqliteCode(error: unknown): number | null {
  if (!hasCode(error, "ERR_SQLITE_ERROR")) return null;
  const extended = (error as { readonly errcode?: unknown }).errcode;
  return typeof extended === "number" ? extended & 0xff : null;
}

export const SQLITE_OK = 0;
export const SQLITE_ERROR = 1;
export const SQLITE_BUSY = 5;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_NOTADB = 26;

/** Runs `work` in a transaction: all of it or nothing. */
export function inTransaction(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** After some errors SQLite has rolled back by itself already. */
export function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec("ROLLBACK");
}
