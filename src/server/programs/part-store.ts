import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Clock } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { partPattern } from "#model/programs.ts";

/** Packed parts of Drover by their digest, for machines that are to go over to a version: sent here once, and from here to each that lacks them. */
export interface PartStore {
  missing(digests: readonly string[]): readonly string[];
  /** In bytes; null if it is not there. */
  sizeOf(digest: string): number | null;
  /** Fine if it is there. Leaves `content` open. @throws {DroverError} DIGEST_MISMATCH, STORAGE_FULL */
  put(digest: string, content: Readable, signal: AbortSignal): Promise<void>;
  /** @throws {DroverError} CONFLICT if it is not there */
  read(digest: string): Promise<Readable>;
}

/** A version has 60 MB. An upgrade that is gone on with later than this sends them anew. */
const keptMs = 24 * 3_600_000;

/** @param folder made when the first part comes */
export function openPartStore(folder: string, clock: Clock): PartStore {
  const fileOf = (digest: string) => join(folder, digest);
  return {
    missing: (digests) => digests.filter((digest) => !existsSync(fileOf(digest))),
    sizeOf: (digest) => statSync(fileOf(digest), { throwIfNoEntry: false })?.size ?? null,
    put: async (digest, content, signal) => {
      if (existsSync(fileOf(digest))) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await sweep(folder, clock.nowMs() - keptMs);
      // Two that send the same at once do not write into each other's file.
      const temporary = `${fileOf(digest)}.${randomUUID()}.new`;
      const hash = createHash("sha256");
      async function* hashed() {
        // The other half of the request still has to carry the answer.
        for await (const chunk of content.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
          hash.update(chunk);
          yield chunk;
        }
      }
      try {
        // On the disk for sure before it has its name: after a power cut one that is there is never asked for again.
        await pipeline(hashed(), createWriteStream(temporary, { flags: "wx", mode: 0o600, flush: true }), { signal });
        const found = hash.digest("hex");
        if (found !== digest)
          throw new DroverError("DIGEST_MISMATCH", `what arrived has the digest ${found}, and not ${digest}`, { hint: "Send it again." });
        await rename(temporary, fileOf(digest));
      } catch (error) {
        if (!hasCode(error, "ENOSPC") && !hasCode(error, "EDQUOT")) throw error;
        throw new DroverError("STORAGE_FULL", "the disk of the server's machine is full; nothing was kept of what was sent", {
          cause: error,
          hint: "Make room there, then run the command again; it goes on where it was.",
        });
      } finally {
        await rm(temporary, { force: true });
      }
    },
    read: async (digest) => {
      if (!existsSync(fileOf(digest)))
        throw new DroverError("CONFLICT", `the server does not have the part ${digest}`, { hint: "Send it first." });
      const now = clock.nowMs() / 1_000;
      await utimes(fileOf(digest), now, now);
      return createReadStream(fileOf(digest));
    },
  };
}

async function sweep(folder: string, beforeMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    // One that is being received is younger, and may have its name by now.
    const stats = await stat(join(folder, name)).catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return null;
      throw error;
    });
    if (stats !== null && stats.mtimeMs < beforeMs && partPattern.test(name.replace(/(?:\.[0-9a-f-]{36})?\.new$/, "")))
      await rm(join(folder, name), { force: true });
  }
}
