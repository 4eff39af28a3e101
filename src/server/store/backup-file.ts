import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { failpoint } from "#host/failpoint.ts";
import { syncFolder } from "#host/files.ts";

/** Pages that are copied in one step, on another thread, while a write has to wait: 1 MiB takes under 2 ms. */
const PAGES_PER_STEP = 256;

/**
 * Copies a live database to `file`, in steps between which writes go on; the copy has all commits up to its end. (VACUUM INTO would hold the
 * loop for the whole copy.) `file` appears when it is whole and durable, and needs no other file beside it.
 */
export async function writeBackup(database: DatabaseSync, file: string): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await rm(temporary, { force: true });
    await backup(database, temporary, { rate: PAGES_PER_STEP });
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

/** A database in WAL mode makes two files beside it as soon as someone looks inside. */
function leaveWalMode(file: string): void {
  const copy = new DatabaseSync(file);
  try {
    copy.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
}
