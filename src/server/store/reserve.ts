import { randomFillSync } from "node:crypto";
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { hasCode } from "#model/errors.ts";

const mib = 1024 * 1024;
const mostBytes = 16 * mib;
const leastBytes = 2 * mib;
const shareOfDisk = 0.05;

/**
 * Space that is kept back, as a file of that size, so that deletions still work when the disk is full. Puts are refused while it is not in
 * place, so they can never use it up.
 */
export class Reserve {
  readonly #folder: string;
  readonly #file: string;
  /** Unless said otherwise 5 % of the disk, at least 2 MiB and at most 16 MiB. */
  readonly bytes: number;
  #isInPlace: boolean;

  constructor(folder: string, file: string, bytes?: number) {
    this.#folder = folder;
    this.#file = file;
    const { blocks, bsize } = statfsSync(folder);
    this.bytes = bytes ?? Math.round(Math.min(mostBytes, Math.max(leastBytes, blocks * bsize * shareOfDisk)));
    this.#isInPlace = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= this.bytes / 2;
  }

  release(): void {
    if (!this.#isInPlace) return;
    rmSync(this.#file, { force: true });
    this.#isInPlace = false;
  }

  /** Puts it in place, whole or by half (the other half may have gone into the database meanwhile). False if the disk has no room for it. */
  secure(): boolean {
    if (!this.#isInPlace) this.#isInPlace = this.#create(this.bytes) || this.#create(Math.ceil(this.bytes / 2));
    return this.#isInPlace;
  }

  #create(bytes: number): boolean {
    // Asked first, because filling the disk to find out that it is full would disturb everyone else on it.
    const { bavail, bsize } = statfsSync(this.#folder);
    if (bavail * bsize < bytes) return false;
    const descriptor = openSync(this.#file, "w", 0o600);
    try {
      // Noise, because some file systems keep nothing for zeros.
      const chunk = randomFillSync(new Uint8Array(mib));
      for (let written = 0; written < bytes; ) written += writeSync(descriptor, chunk, 0, Math.min(mib, bytes - written));
      fsyncSync(descriptor);
      return true;
    } catch (error) {
      rmSync(this.#file, { force: true });
      if (hasCode(error, "ENOSPC") || hasCode(error, "EDQUOT")) return false;
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }
}
