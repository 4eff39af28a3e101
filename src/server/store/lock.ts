import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DroverError, hasCode } from "#model/errors.ts";
import { SQLITE_BUSY, sqliteCode } from "./sqlite-database.ts";

export interface FolderLock {
  readonly release: () => void;
}

/**
 * Holds a data directory for this process until it is closed or the process ends in any way: an exclusive transaction in a database of its
 * own is a lock of the operating system, which a killed process cannot leave behind. The file with the pid only names the holder.
 * @throws {DroverError} STORE_IN_USE
 */
export function lockFolder(folder: string): FolderLock {
  const database = new DatabaseSync(join(folder, "lock"));
  const holderFile = join(folder, "lock.pid");
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw error;
    const pid = readPid(holderFile);
    // Without the cause: "database is locked" says the same in words of another layer.
    throw new DroverError("STORE_IN_USE", `"${folder}" is in use by another server${pid === null ? "" : ` (pid ${pid})`}`, {
      hint: "Stop that server first, or give this one a home of its own with --home.",
      details: { folder, pid },
    });
  }
  try {
    writeFileSync(holderFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    // Only the name of the holder: a full disk must not keep the server from its reads.
    if (!hasCode(error, "ENOSPC")) {
      database.close();
      throw error;
    }
  }
  return { release: () => database.close() };
}

function readPid(file: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
    return Number.isSafeInteger(pid) ? pid : null;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}
