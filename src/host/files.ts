import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "#model/errors.ts";

export interface WriteOptions {
  /** Permission bits; default 0600. */
  readonly mode?: number;
  /** Whether it has to survive a power cut: fsync of the file and of its folder. Default true. */
  readonly durable?: boolean;
}

/** Replaces `file` as a whole: a reader or a crash sees the old content or the new, never a part. */
export async function writeFileAtomic(
  file: string,
  content: string | Uint8Array,
  { mode = 0o600, durable = true }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(file);
  const temporary = join(folder, `.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await using handle = await open(temporary, "wx", mode);
    await handle.writeFile(content);
    if (durable) await handle.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await rename(temporary, file);
  if (durable) await syncFolder(folder);
}

/** Makes renames and removals in `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

/** The file's text, or null if there is none. */
export async function readTextIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}
