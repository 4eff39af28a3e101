import { createHash } from "node:crypto";
import { constants, copyFile, mkdir, open, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { DroverError, hasCode } from "#model/errors.ts";
import { PathRules, unsafe } from "./path-rules.ts";
import { type ArchiveLimits, overLimit, readTar, type TarEntry, tooLarge } from "./tar-reader.ts";
import { sortTree, type Tree, type TreeEntry } from "./tree.ts";

/**
 * Unpacks a tar or tar.gz stream into `folder`, which has to be empty and ours alone, and returns what it made. Owners, times and all mode bits
 * but "executable" are dropped. No link exists on disk before the last file is written, so nothing can be written through one.
 * Leaves removing `folder` after a failure to the caller, and `archive` open.
 * @throws {DroverError} ARCHIVE_UNSAFE, ARCHIVE_INVALID, STORAGE_FULL
 */
export async function extractArchive(archive: Readable, folder: string, limits: ArchiveLimits, signal: AbortSignal): Promise<Tree> {
  const extraction = new Extraction(folder, limits);
  try {
    for await (const entry of readTar(archive, limits, signal)) await extraction.add(entry);
    return await extraction.finish();
  } catch (error) {
    signal.throwIfAborted();
    throw translateDiskErrors(error);
  }
}

/** What a full disk looks like to people. */
export function translateDiskErrors(error: unknown): unknown {
  if (hasCode(error, "ENOSPC") || hasCode(error, "EDQUOT"))
    return new DroverError("STORAGE_FULL", "the disk is full; nothing was kept of what was being stored", {
      cause: error,
      hint: "Free space on the agent's disk, then try again.",
    });
  return error;
}

class Extraction {
  readonly #folder: string;
  readonly #limits: ArchiveLimits;
  readonly #rules = new PathRules();
  readonly #made = new Map<string, TreeEntry>();
  #bytes = 0;

  constructor(folder: string, limits: ArchiveLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  async add(entry: TarEntry): Promise<void> {
    const path = PathRules.normalize(entry.name);
    if (path === null) {
      if (entry.type !== "5") throw unsafe(entry.name, "stands for the folder itself but is none");
      return;
    }
    for (const missing of this.#rules.missingFolders(path)) await this.#makeFolder(missing);
    switch (entry.type) {
      case "0":
      case "7":
        return this.#addFile(path, entry);
      case "1":
        return this.#addHardLink(path, entry.linkTarget);
      case "2":
        this.#rules.addLink(path, entry.linkTarget);
        this.#made.set(path, { kind: "link", path, target: entry.linkTarget });
        return;
      case "5":
        if (this.#rules.addFolder(path)) await this.#makeFolder(path);
        return;
      case "3":
      case "4":
      case "6":
        throw unsafe(path, "is a device or FIFO");
      default:
        throw unsafe(path, `is of the unknown kind ${JSON.stringify(entry.type)}`);
    }
  }

  async finish(): Promise<Tree> {
    this.#rules.checkLinks();
    for (const entry of this.#made.values())
      if (entry.kind === "link") await refuseTwins(entry.path, symlink(entry.target, join(this.#folder, entry.path)));
    return sortTree([...this.#made.values()]);
  }

  async #makeFolder(path: string): Promise<void> {
    await refuseTwins(path, mkdir(join(this.#folder, path), 0o755));
    this.#made.set(path, { kind: "folder", path });
    if (this.#made.size > this.#limits.files) throw overLimit(`has more than ${this.#limits.files} files and folders`);
  }

  async #addFile(path: string, entry: TarEntry): Promise<void> {
    this.#rules.addFile(path);
    const isExecutable = (entry.mode & 0o111) !== 0;
    this.#count(entry.sizeBytes);
    const hash = createHash("sha256");
    await using file = await refuseTwins(path, open(join(this.#folder, path), "wx", 0o600));
    for await (const chunk of entry.body) {
      hash.update(chunk);
      for (let written = 0; written < chunk.length; ) written += (await file.write(chunk, written)).bytesWritten;
    }
    await file.chmod(isExecutable ? 0o755 : 0o644);
    this.#made.set(path, { kind: "file", path, isExecutable, sizeBytes: entry.sizeBytes, sha256: hash.digest("hex") });
  }

  /** A hard link becomes a copy: one inode under two names would let one of them change the other. */
  async #addHardLink(path: string, linkTarget: string): Promise<void> {
    const target = PathRules.normalize(linkTarget);
    const original = target === null ? undefined : this.#made.get(target);
    if (original?.kind !== "file") throw unsafe(path, "is a hard link to something that is no file before it in the archive");
    this.#rules.addFile(path);
    this.#count(original.sizeBytes);
    await refuseTwins(path, copyFile(join(this.#folder, original.path), join(this.#folder, path), constants.COPYFILE_EXCL));
    this.#made.set(path, { ...original, path });
  }

  #count(sizeBytes: number): void {
    this.#bytes += sizeBytes;
    if (this.#bytes > this.#limits.contentBytes) throw tooLarge(this.#limits.contentBytes);
  }
}

/** Some file systems take two spellings (of case, or of an accent) for one name. */
async function refuseTwins<Made>(path: string, make: Promise<Made>): Promise<Made> {
  try {
    return await make;
  } catch (error) {
    if (hasCode(error, "EEXIST")) throw unsafe(path, "has the same name as another entry on this machine's disk");
    throw error;
  }
}
