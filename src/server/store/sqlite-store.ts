import { existsSync, mkdirSync, rmSync, statfsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { syncFolder } from "#host/files.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { newestGoodBackup } from "./backups.ts";
import { createStore } from "./core.ts";
import type { Retention } from "./history.ts";
import type { Journal } from "./journal.ts";
import { type FolderLock, lockFolder } from "./lock.ts";
import { Damage } from "./records.ts";
import { Reserve } from "./reserve.ts";
import { migrate, schemaVersion, writeMeta } from "./schema.ts";
import { checkSqliteVersion, inTransaction, type OpenDatabase, openDatabase, SQLITE_FULL, sqliteCode } from "./sqlite-database.ts";
import { createSqliteJournal, storageFull } from "./sqlite-journal.ts";
import type { Store } from "./store.ts";
import { storeFiles } from "./store-files.ts";
import { checkTestimony, type Verified, verifyFile } from "./verify.ts";
import { readWitness, Witness } from "./witness.ts";

/** Below this much free space, what is kept back is needed to open at all: for the index of the log and for the new term. */
const bytesToOpen = 1024 * 1024;

export interface SqliteStoreOptions {
  /** The server's data directory; made if it is not there. Only one process at a time can have it. */
  readonly folder: string;
  readonly log: Log;
  /** Called once when nobody can know what is on the disk (a failed fsync, an I/O error): the process must end at once. */
  readonly fatal: (error: unknown) => void;
  /** 0 to 1; names a new installation. */
  readonly random: () => number;
  readonly retention?: Retention;
  /** The exact command that restores a backup, for the hint of STORE_DAMAGED. Default `drover server --restore FILE`. */
  readonly restoreCommand?: (file: string) => string;
  /** Space that is kept back for deletions on a full disk. Default 5 % of the disk, 2 to 16 MiB. */
  readonly reserveBytes?: number;
  readonly openDatabase?: OpenDatabase;
}

/**
 * Opens the store of a server, or makes a new one where there is none. Everything that is there is verified first, without changing it.
 * @throws {DroverError} STORE_IN_USE, STORE_DAMAGED, STORE_TOO_NEW, STORAGE_FULL, RUNTIME_TOO_OLD
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  checkSqliteVersion();
  const { folder, fatal, retention } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockFolder(folder);
  try {
    const journal = await openJournal(options, lock);
    return createStore({ journal, fatal, ...(retention === undefined ? {} : { retention }) });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openJournal({ openDatabase: open = openDatabase, ...options }: SqliteStoreOptions, lock: FolderLock): Promise<Journal> {
  const { folder, log } = options;
  const files = storeFiles(folder);
  const reserve = new Reserve(folder, files.reserve, options.reserveBytes);
  if (freeBytes(folder) < bytesToOpen) reserve.release();
  const found = await verifyFound(options, open);
  const database = open(files.database, { readOnly: false });
  try {
    configure(database);
    const verified = found ?? create(database, options.random);
    const meta = { ...verified.meta, schema: schemaVersion, term: verified.meta.term + 1 };
    migrate(database, verified.meta.schema);
    inTransaction(database, () => writeMeta(database, { term: meta.term }));
    const witness = new Witness(files.witness);
    witness.write({ epoch: meta.epoch, term: meta.term, revision: verified.revision });
    await syncFolder(folder);
    log.info("store opened", { revision: verified.revision, epoch: meta.epoch, term: meta.term, versions: verified.rows.length });
    return createSqliteJournal({ ...verified, meta, database, witness, reserve, lock, log });
  } catch (error) {
    database.close();
    throw sqliteCode(error) === SQLITE_FULL ? storageFull(error) : error;
  }
}

/** What the folder holds, verified through a connection that cannot change it; null if no store was ever made here. */
async function verifyFound({ folder, log, restoreCommand }: SqliteStoreOptions, open: OpenDatabase): Promise<Verified | null> {
  const files = storeFiles(folder);
  // Left by a process that is gone; SQLite makes it anew from the log.
  rmSync(files.index, { force: true });
  try {
    const testimony = readWitness(files.witness);
    if (testimony === "unreadable") log.warn("the store's witness cannot be read; a lost end of the store would not be noticed");
    const verified = existsSync(files.database) ? verifyFile(files.database, open) : null;
    checkTestimony(testimony, verified);
    return verified;
  } catch (error) {
    if (error instanceof Damage) throw await storeDamaged(folder, error, restoreCommand);
    throw error;
  } finally {
    rmSync(files.index, { force: true });
  }
}

function create(database: DatabaseSync, random: () => number): Verified {
  const installation = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0"),
  ).join("");
  const meta = { schema: schemaVersion, epoch: 1, term: 0, installation, compactedRevision: 0 };
  migrate(database, 0, meta);
  return { meta, revision: 0, rows: [] };
}

/**
 * FULL: each commit is on the disk before it is acknowledged. EXCLUSIVE: no other tool gets in while it is live. Checkpoints are made by hand.
 * The size of pages counts for a new file alone: each page is two system calls in the log, and many commits of 1 kB go together.
 */
function configure(database: DatabaseSync): void {
  database.exec("PRAGMA page_size = 8192");
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
  database.exec("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY");
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

async function storeDamaged(folder: string, damage: Damage, restoreCommand = defaultRestoreCommand): Promise<DroverError> {
  const file = storeFiles(folder).database;
  const backup = await newestGoodBackup(storeFiles(folder).backups);
  return new DroverError("STORE_DAMAGED", `the store "${file}" is damaged: ${damage.message}`, {
    cause: damage.cause,
    hint:
      backup === null
        ? `There is no good backup beside it. Nothing was changed; to restore a copy of your own, run: ${restoreCommand("FILE")}`
        : `Nothing was changed. To see what going back to revision ${backup.revision}, the newest good backup, would change, and then to do it, run: ${restoreCommand(backup.file)}`,
    details: { file, damage: damage.message, backup: backup?.file ?? null, backupRevision: backup?.revision ?? null },
  });
}

function defaultRestoreCommand(file: string): string {
  return `drover server --restore '${file.replaceAll("'", "'\\''")}'`;
}
