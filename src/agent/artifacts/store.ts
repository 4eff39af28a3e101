import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { readTextIfThere, syncFolder, writeFileAtomic } from "#host/files.ts";
import { packTar } from "#host/pack-tar.ts";
import { buildLimits } from "#model/build.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type Digest, isDigest } from "#model/names.ts";
import { isCount, isRecord, isText, parseJson } from "#model/shape.ts";
import { extractArchive, translateDiskErrors } from "./extract.ts";
import { removeFolder, sealTree, syncTree } from "./folders.ts";
import type { ArchiveLimits } from "./tar-reader.ts";
import { readTree, type Tree, treeDigest, treeSizeBytes } from "./tree.ts";

export interface ArtifactRecord {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly files: number;
  /** Epoch milliseconds of the latest use: stored, started or named by a build. */
  readonly usedAtMs: number;
}

/**
 * Artifacts by the digest of their content, each a read-only folder. One is either wholly there or not at all: it is made in a folder of its own
 * and renamed once it is on the disk, and what a killed run left is swept at the next start.
 */
export interface ArtifactStore {
  has(digest: Digest): boolean;
  /** Where its files are. @throws {DroverError} ARTIFACT_NOT_FOUND */
  folder(digest: Digest): string;
  list(): readonly ArtifactRecord[];
  /** Marks it as used now, so that whoever collects old artifacts passes it over. Unknown digests are fine. */
  use(digest: Digest): void;
  /**
   * Unpacks a tar or tar.gz stream and keeps it if its content has this digest. Fine if it is stored already. Leaves `archive` open.
   * @throws {DroverError} DIGEST_MISMATCH, ARCHIVE_UNSAFE, ARCHIVE_INVALID, STORAGE_FULL
   */
  put(digest: Digest, archive: Readable, signal: AbortSignal): Promise<void>;
  /** Takes over a folder on the same file system: moves it here, or removes it if its content is stored already. @throws {DroverError} STORAGE_FULL */
  adopt(folder: string, tree: Tree): Promise<ArtifactRecord>;
  /** The artifact as a tar stream, checked against its digest first. @throws {DroverError} ARTIFACT_NOT_FOUND, DIGEST_MISMATCH when it is damaged */
  pack(digest: Digest, signal: AbortSignal): Promise<Readable>;
  /** @throws {DroverError} CONFLICT while a workload uses it; ARTIFACT_NOT_FOUND */
  remove(digest: Digest): Promise<void>;
}

export interface ArtifactStoreOptions {
  /** `home.agent/artifacts`. Made if it is not there. One store at a time. */
  readonly folder: string;
  /** Whether a workload needs the artifact. */
  readonly isUsed: (digest: Digest) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

type StoredRecord = Pick<ArtifactRecord, "digest" | "sizeBytes" | "files">;

function isStoredRecord(value: unknown): value is StoredRecord {
  return isRecord(value) && isText(value["digest"]) && isDigest(value["digest"]) && isCount(value["sizeBytes"]) && isCount(value["files"]);
}

const archiveLimits: ArchiveLimits = {
  archiveBytes: buildLimits.artifactBytes,
  contentBytes: buildLimits.artifactBytes,
  files: buildLimits.files,
};

export async function openArtifactStore(options: ArtifactStoreOptions): Promise<ArtifactStore> {
  const { folder } = options;
  const incoming = join(folder, ".incoming");
  // Passable for every app's user, listed by none.
  await mkdir(folder, { recursive: true, mode: 0o711 });
  await removeFolder(incoming);
  await mkdir(incoming, { mode: 0o700 });
  const names = new Set(await readdir(folder));
  const records = new Map<Digest, ArtifactRecord>();
  for (const name of names) {
    if (name === ".incoming") continue;
    const hex = name.replace(/\.json$/, "");
    const record = names.has(hex) ? await readRecord(folder, hex, options) : null;
    if (record !== null) records.set(record.digest, record);
    else {
      options.log.info("leftover of an unfinished artifact removed", { name });
      await removeFolder(join(folder, name));
    }
  }
  return new FolderArtifactStore(options, incoming, records);
}

/** The record beside an artifact, made anew from its content where it is missing or damaged. Null if the content is not what its name says. */
async function readRecord(folder: string, hex: string, { clock, log }: ArtifactStoreOptions): Promise<ArtifactRecord | null> {
  const file = join(folder, `${hex}.json`);
  const stored = parseJson((await readTextIfThere(file)) ?? "");
  if (isStoredRecord(stored) && hexOf(stored.digest) === hex) {
    const { digest, sizeBytes, files } = stored;
    return { digest, sizeBytes, files, usedAtMs: (await stat(file)).mtimeMs };
  }
  const tree = await readTree(join(folder, hex), archiveLimits, new AbortController().signal);
  const record = { digest: treeDigest(tree), sizeBytes: treeSizeBytes(tree), files: tree.length };
  if (hexOf(record.digest) !== hex) return null;
  log.warn("record of an artifact made anew", { digest: record.digest });
  await writeFileAtomic(file, JSON.stringify(record));
  return { ...record, usedAtMs: clock.nowMs() };
}

class FolderArtifactStore implements ArtifactStore {
  readonly #options: ArtifactStoreOptions;
  readonly #incoming: string;
  readonly #records: Map<Digest, ArtifactRecord>;

  constructor(options: ArtifactStoreOptions, incoming: string, records: Map<Digest, ArtifactRecord>) {
    this.#options = options;
    this.#incoming = incoming;
    this.#records = records;
  }

  has(digest: Digest): boolean {
    return this.#records.has(digest);
  }

  folder(digest: Digest): string {
    this.#find(digest);
    return join(this.#options.folder, hexOf(digest));
  }

  list(): readonly ArtifactRecord[] {
    return [...this.#records.values()];
  }

  use(digest: Digest): void {
    const record = this.#records.get(digest);
    if (record === undefined) return;
    const nowMs = this.#options.clock.nowMs();
    this.#records.set(digest, { ...record, usedAtMs: nowMs });
    // The mark on disk only matters for which artifact is collected first after a restart, so losing one is logged and no more.
    utimes(this.#recordFile(digest), nowMs / 1_000, nowMs / 1_000).catch((error: unknown) =>
      this.#options.log.warn("use of an artifact not marked", { digest, error: error instanceof Error ? error.message : String(error) }),
    );
  }

  async put(digest: Digest, archive: Readable, signal: AbortSignal): Promise<void> {
    if (this.has(digest)) return this.use(digest);
    const folder = join(this.#incoming, randomUUID());
    try {
      await mkdir(folder, { mode: 0o755 });
      const tree = await extractArchive(archive, folder, archiveLimits, signal);
      const actual = treeDigest(tree);
      if (actual !== digest)
        throw new DroverError("DIGEST_MISMATCH", `the archive's content is ${actual}, not ${digest}`, {
          hint: "Send it again; if it stays different, it was changed after it was built.",
        });
      await this.adopt(folder, tree);
    } finally {
      await removeFolder(folder);
    }
  }

  async adopt(folder: string, tree: Tree): Promise<ArtifactRecord> {
    const digest = treeDigest(tree);
    const record = { digest, sizeBytes: treeSizeBytes(tree), files: tree.length, usedAtMs: this.#options.clock.nowMs() };
    try {
      if (!this.has(digest)) {
        await sealTree(folder, tree);
        await syncTree(folder, tree);
        const { usedAtMs: _, ...stored } = record;
        await writeFileAtomic(this.#recordFile(digest), JSON.stringify(stored));
        await moveUnlessThere(folder, join(this.#options.folder, hexOf(digest)));
        await syncFolder(this.#options.folder);
        this.#records.set(digest, record);
      }
      this.use(digest);
      return record;
    } catch (error) {
      throw translateDiskErrors(error);
    } finally {
      await removeFolder(folder);
    }
  }

  async pack(digest: Digest, signal: AbortSignal): Promise<Readable> {
    const folder = this.folder(digest);
    const tree = await readTree(folder, archiveLimits, signal);
    const actual = treeDigest(tree);
    if (actual !== digest)
      throw new DroverError("DIGEST_MISMATCH", `the artifact ${digest} was changed on the agent's disk: its content is ${actual}`, {
        hint: "Push the app again; the damaged copy is kept until then for you to look at.",
      });
    this.use(digest);
    return Readable.from(packTar(folder, tree, signal), { objectMode: false });
  }

  async remove(digest: Digest): Promise<void> {
    const folder = this.folder(digest);
    if (this.#options.isUsed(digest))
      throw new DroverError("CONFLICT", `the artifact ${digest} is used by a workload`, {
        hint: "Remove the workloads that run it first.",
      });
    this.#records.delete(digest);
    const trash = join(this.#incoming, randomUUID());
    await rename(folder, trash);
    await removeFolder(this.#recordFile(digest));
    await syncFolder(this.#options.folder);
    await removeFolder(trash);
  }

  #find(digest: Digest): ArtifactRecord {
    const record = this.#records.get(digest);
    if (record === undefined)
      throw new DroverError("ARTIFACT_NOT_FOUND", `the artifact ${digest} is not stored here`, {
        hint: "Push the app again; that builds and stores it.",
      });
    return record;
  }

  #recordFile(digest: Digest): string {
    return join(this.#options.folder, `${hexOf(digest)}.json`);
  }
}

/** Two that store the same content at once both succeed: the second finds the first one's folder. */
async function moveUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "EEXIST")) throw error;
  }
}

function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
