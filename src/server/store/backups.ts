import { existsSync, mkdirSync } from "node:fs";
import { copyFile, open, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { failpoint } from "#host/failpoint.ts";
import { syncFolder } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { lockFolder } from "./lock.ts";
import { Damage } from "./records.ts";
import { type Meta, writeMeta } from "./schema.ts";
import { checkSqliteVersion, inTransaction, openDatabase } from "./sqlite-database.ts";
import type { Store } from "./store.ts";
import { storeFiles } from "./store-files.ts";
import { verifyFile } from "./verify.ts";
import { readWitness, type Testimony, Witness } from "./witness.ts";

export interface Backup {
  readonly file: string;
  readonly epoch: number;
  readonly revision: number;
}

/** A restored store goes on this far after the last known revision, so that no revision ever means two things. */
const REVISIONS_SKIPPED_BY_RESTORE = 1_000_000;
/** Hourly for two days unless said otherwise: damage is noticed at the next start at the latest. */
const BACKUP_EVERY_MS = 60 * 60 * 1000;
const BACKUPS_KEPT = 48;

/** Backups of a folder, newest first by epoch and revision; what they hold was not checked. */
export async function listBackups(folder: string): Promise<readonly Backup[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
  return names
    .map((name) => ({ name, match: /^store-e(\d+)-r(\d+)\.db$/.exec(name) }))
    .filter(({ match }) => match !== null)
    .map(({ name, match }) => ({ file: join(folder, name), epoch: Number(match?.[1]), revision: Number(match?.[2]) }))
    .sort((a, b) => b.epoch - a.epoch || b.revision - a.revision);
}

/** The newest backup that verifies, or null. */
export async function newestGoodBackup(folder: string): Promise<Backup | null> {
  for (const backup of await listBackups(folder)) {
    try {
      if (verifyFile(backup.file, openDatabase) !== null) return backup;
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
    }
  }
  return null;
}

/** Backs the store up now, unless its newest backup is of this revision already, and removes all but the newest `keep`. */
export async function backUp(store: Store, folder: string, keep = BACKUPS_KEPT): Promise<Backup | null> {
  const { epoch, revision } = store;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [newest] = await listBackups(folder);
  if (newest?.epoch === epoch && newest.revision === revision) return null;
  const file = join(folder, `store-e${String(epoch).padStart(4, "0")}-r${String(revision).padStart(12, "0")}.db`);
  await store.backup(file);
  for (const { file: old } of (await listBackups(folder)).slice(keep)) await rm(old);
  await syncFolder(folder);
  return { file, epoch, revision };
}

/** Backs the store up every `everyMs`, the first time after that long, until the signal aborts. A failed backup is logged and tried again then. */
export async function keepBackups(
  {
    store,
    folder,
    clock,
    log,
    everyMs = BACKUP_EVERY_MS,
    keep = BACKUPS_KEPT,
  }: {
    readonly store: Store;
    readonly folder: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly everyMs?: number;
    readonly keep?: number;
  },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(everyMs, signal);
      const backup = await backUp(store, folder, keep);
      if (backup !== null) log.info("store backed up", { revision: backup.revision });
    } catch (error) {
      if (signal.aborted) return;
      log.error("the store could not be backed up", errorFields(error));
    }
  }
}

/**
 * Puts `from`, a backup, in the place of the store in `folder`. What was there is moved to `replaced-<n>` beside it, never deleted. The
 * restored store has a higher epoch and a higher revision than anything that was acknowledged before, and no history: watches of the time
 * before get COMPACTED and list again.
 *
 * A crash at any point leaves either the old store, or the new one, or no store and a witness: then the server refuses to start and the
 * restore is run again.
 * @throws {DroverError} STORE_DAMAGED if the backup is; STORE_IN_USE, STORE_TOO_NEW, SOURCE_NOT_FOUND
 */
export async function restoreBackup({
  folder,
  from,
  log,
}: {
  readonly folder: string;
  readonly from: string;
  readonly log: Log;
}): Promise<Backup> {
  checkSqliteVersion();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockFolder(folder);
  try {
    const files = storeFiles(folder);
    const restored = join(folder, "restored.db");
    await copyIn(from, restored);
    const verified = verifyBackup(restored, from);
    const last = lastKnown(folder);
    const epoch = Math.max(verified.meta.epoch, last.epoch) + 1;
    const revision = Math.max(verified.revision, last.revision) + REVISIONS_SKIPPED_BY_RESTORE;
    const term = Math.max(verified.meta.term, last.term);
    rewrite(restored, { epoch, term, compactedRevision: revision });
    await syncFile(restored);
    const aside = await moveAside(folder, [files.database, files.log, files.index]);
    failpoint("store.restore.before-rename");
    await rename(restored, files.database);
    const witness = new Witness(files.witness);
    witness.write({ epoch, term, revision });
    witness.close();
    await syncFolder(folder);
    log.info("store restored", { from, epoch, revision, replaced: aside });
    return { file: files.database, epoch, revision };
  } finally {
    for (const end of ["", "-wal", "-shm", "-journal"]) await rm(join(folder, `restored.db${end}`), { force: true });
    lock.release();
  }
}

function verifyBackup(copy: string, from: string) {
  try {
    const verified = verifyFile(copy, openDatabase);
    if (verified === null) throw new Damage("it is empty");
    return verified;
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    throw new DroverError("STORE_DAMAGED", `the backup "${from}" cannot be restored: ${error.message}`, {
      cause: error.cause,
      hint: "Nothing was changed. Choose another backup.",
    });
  }
}

/** The highest numbers that this folder is known to have given out, by whatever can still be read. */
function lastKnown(folder: string): Testimony {
  const files = storeFiles(folder);
  const testimony = readWitness(files.witness);
  if (testimony !== null && testimony !== "unreadable") return testimony;
  const none = { epoch: 0, term: 0, revision: 0 };
  if (!existsSync(files.database)) return none;
  try {
    const current = verifyFile(files.database, openDatabase);
    return current === null ? none : { ...current.meta, revision: current.revision };
  } catch (error) {
    if (error instanceof Damage) return none;
    throw error;
  }
}

/** With its write-ahead log, if someone copied a live store's files instead of making a backup. */
async function copyIn(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("SOURCE_NOT_FOUND", `there is no backup "${from}"`, { cause: error, hint: "Name an existing backup file." });
  }
  if (existsSync(`${from}-wal`)) await copyFile(`${from}-wal`, `${to}-wal`);
}

function rewrite(file: string, meta: Partial<Meta>): void {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL");
    inTransaction(database, () => {
      // History is forgotten as a compaction does it: what was replaced, and deletions.
      database.exec("DELETE FROM versions WHERE value IS NULL OR place IN (SELECT previous_place FROM versions)");
      writeMeta(database, meta);
    });
  } finally {
    database.close();
  }
}

async function syncFile(file: string): Promise<void> {
  await using handle = await open(file, "r");
  await handle.sync();
}

/** Moves what exists of `files` to a new folder, and returns it; null if there was nothing. */
async function moveAside(folder: string, files: readonly string[]): Promise<string | null> {
  const there = files.filter((file) => existsSync(file));
  if (there.length === 0) return null;
  let number = 1;
  while (existsSync(join(folder, `replaced-${number}`))) number++;
  const aside = join(folder, `replaced-${number}`);
  mkdirSync(aside, { mode: 0o700 });
  for (const file of there) await rename(file, join(aside, basename(file)));
  await syncFolder(folder);
  return aside;
}
