import { existsSync, mkdirSync } from "node:fs";
import { copyFile, open, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { failpoint } from "#host/failpoint.ts";
import { syncFolder } from "#host/files.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Backup } from "./backups.ts";
import { contentsOf, type StoreContents } from "./contents.ts";
import { lockFolder } from "./lock.ts";
import { noteLostRevisions } from "./lost-revisions.ts";
import { Damage } from "./records.ts";
import { type Meta, writeMeta } from "./schema.ts";
import { checkSqliteVersion, inTransaction, openDatabase } from "./sqlite-database.ts";
import { storeFiles } from "./store-files.ts";
import { checkTestimony, type Verified, verifyFile } from "./verify.ts";
import { readWitness, type Testimony, Witness } from "./witness.ts";

/** A restored store goes on this far after the last known revision, so that no revision ever means two things. */
const revisionsSkippedByRestore = 1_000_000;

/** A backup that is about to take the store's place. Until it is disposed of, no server gets the folder, so what is compared is what is replaced. */
export interface Restore extends AsyncDisposable {
  /** What the store in the folder holds: null if none was ever made there, "damaged" if that cannot be told. */
  readonly present: StoreContents | "damaged" | null;
  readonly backup: StoreContents;
  /** When the file of the backup was last written. */
  readonly writtenAtMs: number;
  /**
   * Puts the backup in the place of the store. What was there is moved to `replaced-<n>` beside it, never deleted. The restored store has a
   * higher epoch and a higher revision than anything that was acknowledged before, and no history: watches of the time before get COMPACTED
   * and list again.
   *
   * A crash at any point leaves either the old store, or the new one, or no store and a witness: then the server refuses to start and the
   * restore is run again.
   */
  perform(): Promise<Backup>;
}

/**
 * Takes the folder of a store, reads it, and checks a copy of the backup `from`. Changes nothing yet.
 * @throws {DroverError} STORE_DAMAGED if the backup is; STORE_IN_USE, STORE_TOO_NEW, SOURCE_NOT_FOUND
 */
export async function openRestore({
  folder,
  from,
  log,
}: {
  readonly folder: string;
  readonly from: string;
  readonly log: Log;
}): Promise<Restore> {
  checkSqliteVersion();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockFolder(folder);
  const copy = join(folder, "restored.db");
  const close = async () => {
    await removeCopy(copy);
    lock.release();
  };
  try {
    // What a restore that was killed has left: a log of another copy would be taken for a part of this one.
    await removeCopy(copy);
    const writtenAtMs = await copyIn(from, copy);
    const verified = verifyBackup(copy, from);
    const present = await readPresent(folder);
    return {
      present: present === null || present === "damaged" ? present : contentsOf(present),
      backup: contentsOf(verified),
      writtenAtMs,
      perform: () => {
        const isCompared = present !== null && present !== "damaged";
        return putInPlace({ folder, from, copy, verified, last: lastKnown(folder, present), isCompared, log });
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function putInPlace(options: {
  readonly folder: string;
  readonly from: string;
  readonly copy: string;
  readonly verified: Verified;
  readonly last: Testimony;
  /** Whether the store that is replaced could be read. */
  readonly isCompared: boolean;
  readonly log: Log;
}): Promise<Backup> {
  const { folder, from, copy, verified, last, isCompared, log } = options;
  const files = storeFiles(folder);
  const epoch = Math.max(verified.meta.epoch, last.epoch) + 1;
  const revision = Math.max(verified.revision, last.revision) + revisionsSkippedByRestore;
  const term = Math.max(verified.meta.term, last.term);
  rewrite(copy, { epoch, term, compactedRevision: revision });
  await syncFile(copy);
  const aside = await moveAside(folder, [files.database, files.log, files.index]);
  // With a store that could be read everything was compared, and agreed to: nothing that agents run is news.
  if (!isCompared) await noteLostRevisions(files.lost, { after: verified.revision, through: revision });
  failpoint("store.restore.before-rename");
  await rename(copy, files.database);
  const witness = new Witness(files.witness);
  witness.write({ epoch, term, revision });
  witness.close();
  await syncFolder(folder);
  log.info("store restored", { from, epoch, revision, replaced: aside });
  return { file: files.database, epoch, revision };
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

/** The store that is there, by all that its server would check. */
async function readPresent(folder: string): Promise<Verified | "damaged" | null> {
  const files = storeFiles(folder);
  // Left by a process that is gone; SQLite makes it anew from the log.
  await rm(files.index, { force: true });
  try {
    const verified = existsSync(files.database) ? verifyFile(files.database, openDatabase) : null;
    checkTestimony(readWitness(files.witness), verified);
    return verified;
  } catch (error) {
    if (error instanceof Damage) return "damaged";
    throw error;
  } finally {
    await rm(files.index, { force: true });
  }
}

/** The highest numbers that this folder is known to have given out, by whatever can still be read. */
function lastKnown(folder: string, present: Verified | "damaged" | null): Testimony {
  const testimony = readWitness(storeFiles(folder).witness);
  if (testimony !== null && testimony !== "unreadable") return testimony;
  if (present === null || present === "damaged") return { epoch: 0, term: 0, revision: 0 };
  return { ...present.meta, revision: present.revision };
}

/** With its write-ahead log, if someone copied a live store's files instead of making a backup. When it was written, in epoch milliseconds. */
async function copyIn(from: string, to: string): Promise<number> {
  let writtenAtMs: number;
  try {
    await copyFile(from, to);
    writtenAtMs = (await stat(from)).mtimeMs;
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("SOURCE_NOT_FOUND", `there is no backup "${from}"`, { cause: error, hint: "Name an existing backup file." });
  }
  if (existsSync(`${from}-wal`)) await copyFile(`${from}-wal`, `${to}-wal`);
  return writtenAtMs;
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

async function removeCopy(copy: string): Promise<void> {
  for (const end of ["", "-wal", "-shm", "-journal"]) await rm(`${copy}${end}`, { force: true });
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
