import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { failpoint } from "#host/failpoint.ts";
import { syncFolder } from "#host/files.ts";
import { SQLITE_OK, sqliteCode } from "./sqlite-database.ts";

/** Pages that are copied in one step, on another thread, while a write has to wait: 1 MiB takes under 2 ms. */
const pagesPerStep = 256;

/** A server that writes without pause is inside a transaction most of the time; this many first steps in a row meet one by chance once in years. */
const mostBeginnings = 200;

/**
 * Copies a live database to `file`, in steps between which writes go on; the copy has all commits up to its end. (VACUUM INTO would hold the
 * loop for the whole copy.) `file` appears when it is whole and durable, and needs no other file beside it.
 */
export async function writeBackup(database: DatabaseSync, file: string): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await rm(temporary, { force: true });
    await copyPages(database, temporary);
    leaveWalMode(temporary);
    await using handle = await open(temporary, "r");
    await handle.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  failpoint("store.backup.before-rename");
  await rename(temporary, file);
  await syncFolder(dirname(file));
}

/**
 * Begins again where the first step met an open transaction. SQLite says of that "busy, try again", and Node, which tries every later step
 * again, rejects with code 0 ("not an error"), as it takes a copy of which nothing is known to remain for one that ended.
 */
async function copyPages(database: DatabaseSync, file: string): Promise<void> {
  for (let beginning = 1; ; beginning++) {
    try {
      await backup(database, file, { rate: pagesPerStep });
      return;
    } catch (error) {
      if (sqliteCode(error) !== SQLITE_OK || beginning === mostBeginnings) throw error;
    }
  }
}

/** A database in WAL mode makes two files beside it as soon as someone looks inside. */
function leaveWalMode(file: string): void {
  const copy = new DatabaseSync(file);
  try {
    copy.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
}
