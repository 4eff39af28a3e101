import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { link, lstat, mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DroverError, hasCode } from "#model/errors.ts";
import { mostPartBytes, partPattern } from "#model/programs.ts";
import { extractArchive, translateDiskErrors } from "../artifacts/extract.ts";
import { removeFolder, syncTree } from "../artifacts/folders.ts";

/** Node is the largest part, of 130 MB; the packages have the most files. */
const limits = { archiveBytes: mostPartBytes, contentBytes: 2 ** 30, files: 50_000 } as const;

/** Digests of the parts that are there. */
export async function listParts(folder: string): Promise<readonly string[]> {
  return (await namesIn(join(folder, "parts"))).filter((name) => partPattern.test(name)).sort();
}

/**
 * Takes a packed part. It becomes visible as a whole, once its digest was found right; of one that was cut off or is another nothing stays. Leaves `content` open.
 * @throws {DroverError} DIGEST_MISMATCH, ARCHIVE_UNSAFE, ARCHIVE_INVALID, STORAGE_FULL
 */
export async function receivePart(folder: string, digest: string, content: Readable, signal: AbortSignal): Promise<void> {
  const [incoming, parts] = [join(folder, "incoming"), join(folder, "parts")];
  for (const one of [folder, incoming, parts]) await mkdir(one, { recursive: true, mode: 0o755 });
  if ((await listParts(folder)).includes(digest)) return;
  const [file, tree] = [join(incoming, `${digest}.part`), join(incoming, `${digest}.tree`)];
  await removeFolder(tree);
  try {
    const found = await write(content, file, signal);
    if (found !== digest)
      throw new DroverError("DIGEST_MISMATCH", `what arrived has the digest ${found}, and ${digest} was asked for`, {
        hint: "Run the command again; it goes on where it was.",
      });
    await mkdir(tree, { mode: 0o755 });
    await syncTree(tree, await extractArchive(createReadStream(file), tree, limits, signal));
    await rename(tree, join(parts, digest));
  } catch (error) {
    signal.throwIfAborted();
    throw translateDiskErrors(error);
  } finally {
    await rm(file, { force: true });
    await removeFolder(tree);
  }
}

/** @returns the digest of what was written */
async function write(content: Readable, file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  async function* counted() {
    // The other half of the call still has to carry the answer, so it is left open.
    for await (const chunk of content.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostPartBytes) throw new DroverError("BODY_TOO_LARGE", `the part is over ${mostPartBytes} bytes`);
      hash.update(chunk);
      yield chunk;
    }
  }
  await pipeline(counted(), createWriteStream(file, { mode: 0o600 }), { signal });
  return hash.digest("hex");
}

/** Makes one tree of the parts, out of hard links. @throws {DroverError} STORAGE_FULL */
export async function joinParts(folder: string, parts: readonly string[], tree: string): Promise<void> {
  await removeFolder(tree);
  try {
    for (const part of parts) await linkTree(join(folder, "parts", part), tree);
  } catch (error) {
    await removeFolder(tree);
    throw translateDiskErrors(error);
  }
}

async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o755 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else await link(source, target);
  }
}

/** Removes every version but those of `kept`, and parts that none of these is made of. What is half there is of a copy that nobody goes on with. */
export async function prune(folder: string, kept: ReadonlySet<string>): Promise<void> {
  await removeFolder(join(folder, "incoming"));
  for (const version of await namesIn(join(folder, "versions")))
    if (!kept.has(version)) await removeFolder(join(folder, "versions", version));
  for (const part of await namesIn(join(folder, "parts"))) {
    const tree = join(folder, "parts", part);
    if (!(await hasOtherNames(tree))) await removeFolder(tree);
  }
}

/** Whether any file in it has another name: that of a version. */
async function hasOtherNames(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() ? await hasOtherNames(path) : entry.isFile() && (await lstat(path)).nlink > 1) return true;
  }
  return false;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
