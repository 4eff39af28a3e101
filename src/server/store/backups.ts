import { mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "#host/files.ts";
import { hasCode } from "#model/errors.ts";
import { Damage } from "./records.ts";
import { openDatabase } from "./sqlite-database.ts";
import type { Store } from "./store.ts";
import { verifyFile } from "./verify.ts";

export interface Backup {
  readonly file: string;
  readonly epoch: number;
  readonly revision: number;
}

/** Older ones are worth little once damage has been there for hours. */
const backupsKept = 5;

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

/** Backs the store up now, unless its newest backup is of this revision already, and removes all but the newest `keep`, five unless said otherwise. */
export async function backUp(store: Store, folder: string, keep = backupsKept): Promise<Backup | null> {
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
