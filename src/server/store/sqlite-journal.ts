import type { DatabaseSync } from "node:sqlite";
import { failpoint } from "#host/failpoint.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { writeBackup } from "./backup-file.ts";
import { type Journal, placeOf, revisionOf, type VersionRow } from "./journal.ts";
import type { FolderLock } from "./lock.ts";
import { checksumOf, readRow } from "./records.ts";
import type { Reserve } from "./reserve.ts";
import { type Meta, writeMeta } from "./schema.ts";
import { rollBack, SQLITE_FULL, sqliteCode } from "./sqlite-database.ts";
import type { Witness } from "./witness.ts";

/** Size that the write-ahead log grows to before its pages go to their places: 2 MiB take some 5 ms, in which the loop stands. */
const usualLogBytes = 2 * 1024 * 1024;
/** Pages that each write touches besides the ones that its rows fill: the last one before it, and an inner one. */
const pagesPerWrite = 2;

/** The journal over an open database whose content was verified. Owns the database, the witness and the lock, and lets go of them when it is closed. */
export function createSqliteJournal({
  database,
  meta,
  rows,
  revision,
  witness,
  reserve,
  lock,
  log,
}: {
  readonly database: DatabaseSync;
  readonly meta: Meta;
  readonly rows: readonly VersionRow[];
  readonly revision: number;
  readonly witness: Witness;
  readonly reserve: Reserve;
  readonly lock: FolderLock;
  readonly log: Log;
}): Journal {
  const statements = {
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    insert: database.prepare(
      "INSERT INTO versions (place, key, value, create_revision, version, previous_place, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    forgetReplaced: database.prepare(
      "DELETE FROM versions WHERE place IN (SELECT previous_place FROM versions WHERE place >= ? AND place < ? AND previous_place > 0)",
    ),
    forgetDeletions: database.prepare("DELETE FROM versions WHERE place >= ? AND place < ? AND value IS NULL"),
    read: database.prepare("SELECT * FROM versions WHERE place >= ? AND place < ? ORDER BY place"),
    readOne: database.prepare("SELECT * FROM versions WHERE place = ?"),
    freePages: database.prepare("PRAGMA freelist_count"),
    checkpoint: database.prepare("PRAGMA wal_checkpoint(PASSIVE)"),
  };
  let loaded: readonly VersionRow[] = rows;
  let compactedRevision = meta.compactedRevision;
  let latest = revision;
  let logBytes = 0;
  // Of the file, which may be older than the size that new ones are made with.
  const pageBytes = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
  // On a small disk the log must stay small against the reserve, which has to be able to take in what a checkpoint adds to the database.
  const mostLogBytes = Math.min(usualLogBytes, reserve.bytes / 4);

  function write(added: readonly VersionRow[], compactTo: number | null): void {
    statements.begin.run();
    for (const row of added) {
      const { place, key, value, createRevision, version, previousPlace } = row;
      statements.insert.run(place, key, value, createRevision, version, previousPlace, checksumOf(row));
    }
    if (compactTo !== null) {
      const range = [placeOf(compactedRevision + 1, 0), placeOf(compactTo + 1, 0)] as const;
      statements.forgetReplaced.run(...range);
      statements.forgetDeletions.run(...range);
      writeMeta(database, { compactedRevision: compactTo });
    }
    failpoint("store.write.open");
    statements.commit.run();
    failpoint("store.write.durable");
  }

  /** Moves the log's pages to their places, so that the next write begins the log anew. False if the disk is too full for that. */
  function checkpoint(): boolean {
    failpoint("store.checkpoint.before");
    try {
      statements.checkpoint.run();
    } catch (error) {
      if (sqliteCode(error) === SQLITE_FULL) return false;
      throw error;
    }
    failpoint("store.checkpoint.after");
    logBytes = 0;
    return true;
  }

  function checkpointIfDue(): void {
    if (logBytes < mostLogBytes || checkpoint()) return;
    reserve.release();
    if (!checkpoint()) log.warn("the store's log could not be moved into its database: the disk is full");
  }

  /** Deletions may use what is kept back; everything else only goes on while it is in place, or while the database has that much free inside. */
  function makeRoom(usesReserve: boolean): void {
    if (usesReserve) {
      reserve.release();
      checkpoint();
    } else if (!reserve.secure() && freeBytes() < reserve.bytes) throw storageFull();
  }

  function freeBytes(): number {
    return Number(statements.freePages.get()?.["freelist_count"] ?? 0) * pageBytes;
  }

  function attempt(added: readonly VersionRow[], compactTo: number | null): void {
    try {
      write(added, compactTo);
    } catch (error) {
      rollBack(database);
      if (sqliteCode(error) === SQLITE_FULL) throw storageFull(error);
      throw error;
    }
  }

  return {
    epoch: meta.epoch,
    term: meta.term,
    installation: meta.installation,
    get compactedRevision() {
      return compactedRevision;
    },
    *load() {
      yield* loaded;
      loaded = [];
    },
    async append(added, { compactTo, usesReserve }) {
      makeRoom(usesReserve);
      attempt(added, compactTo);
      const last = added.at(-1);
      if (last !== undefined) latest = revisionOf(last.place);
      if (compactTo !== null) compactedRevision = compactTo;
      witness.write({ epoch: meta.epoch, term: meta.term, revision: latest });
      for (const { key, value } of added) logBytes += key.length * 2 + (value?.byteLength ?? pageBytes) + 64;
      logBytes += pagesPerWrite * pageBytes;
      checkpointIfDue();
    },
    async read(firstPlace, endPlace) {
      return statements.read.all(firstPlace, endPlace).map((columns) => {
        const row = readRow(columns);
        const previous = row.previousPlace === 0 ? undefined : statements.readOne.get(row.previousPlace);
        return { row, previous: previous === undefined ? null : readRow(previous) };
      });
    },
    backup: (file) => writeBackup(database, file),
    async close() {
      try {
        // Also moves what is in the log to its place.
        database.close();
        witness.close();
      } finally {
        lock.release();
      }
    },
  };
}

export function storageFull(cause?: unknown): DroverError {
  return new DroverError("STORAGE_FULL", "the disk of the store is full, and nothing was written", {
    cause,
    hint: "Make room on the disk, or delete what is not needed; reads, deletions and running apps go on.",
  });
}
