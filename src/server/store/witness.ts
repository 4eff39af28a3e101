import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { hasCode } from "#model/errors.ts";

/** What the store last said was durable. */
export interface Testimony {
  readonly epoch: number;
  readonly term: number;
  readonly revision: number;
}

/** Fixed, so that a rewrite in place never leaves a part of an older one behind. */
const recordBytes = 64;

/**
 * A file beside the database that says which revision was last acknowledged. SQLite reads a log that was cut or damaged as one that ends
 * earlier, and would go on without the commits that it lost; the witness knows that they were there.
 *
 * It is written after each commit, without an fsync of its own: after a power cut it may be older than the database, never newer.
 */
export class Witness {
  readonly #descriptor: number;

  constructor(file: string) {
    this.#descriptor = openSync(file, "a+", 0o600);
    closeSync(this.#descriptor);
    this.#descriptor = openSync(file, "r+");
  }

  write({ epoch, term, revision }: Testimony): void {
    const text = `${epoch} ${term} ${revision}`;
    try {
      writeSync(this.#descriptor, `${text} ${crc32(text)}`.padEnd(recordBytes - 1).concat("\n"), 0);
    } catch (error) {
      // On a full disk it stays behind, which is safe: the commit itself is durable already.
      if (!hasCode(error, "ENOSPC") && !hasCode(error, "EDQUOT")) throw error;
    }
  }

  close(): void {
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }
}

/** What the witness says: null if there is none, "unreadable" if it was not written whole (a power cut can leave it so). */
export function readWitness(file: string): Testimony | "unreadable" | null {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
  const match = /^((\d{1,15}) (\d{1,15}) (\d{1,15})) (\d{1,10}) *\n$/.exec(text);
  if (match === null || crc32(match[1] ?? "") !== Number(match[5])) return "unreadable";
  return { epoch: Number(match[2]), term: Number(match[3]), revision: Number(match[4]) };
}
