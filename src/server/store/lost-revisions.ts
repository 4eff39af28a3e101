import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { isCount, isRecord, parseJson } from "#model/shape.ts";

/**
 * Revisions that a store gave out after a backup was made, and that were gone when the backup took its place: agents may have orders of them that
 * nobody else knows of any more.
 */
export interface LostRevisions {
  /** The backup's own: the last that is known. */
  readonly after: number;
  /** From which on the restored store goes on. */
  readonly through: number;
}

/** Adds to what restores before it have lost. */
export async function noteLostRevisions(file: string, lost: LostRevisions): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify([...(await readLostRevisions(file)), lost])}\n`, { mode: 0o600 });
}

/** @throws {Error} if what is there cannot be read: to guess that nothing was lost could stop what is right. */
export async function readLostRevisions(file: string): Promise<readonly LostRevisions[]> {
  const text = await readTextIfThere(file);
  if (text === null) return [];
  const read = parseJson(text);
  if (Array.isArray(read) && read.every(isLost)) return read;
  throw new Error(`"${file}" is not what a restore has written`);
}

function isLost(value: unknown): value is LostRevisions {
  return isRecord(value) && isCount(value["after"]) && isCount(value["through"]);
}
