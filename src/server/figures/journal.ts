import { type FileHandle, open, readFile } from "node:fs/promises";
import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { hasCode } from "#model/errors.ts";
import type { Series } from "./series.ts";

/** One moment of the open block: series that are new, then one figure for each that there is, in their order. */
export interface Entry {
  readonly atMs: number;
  readonly added: readonly Added[];
  /** NaN: missing. */
  readonly values: Float64Array;
}

/** `isFromZero`: at the moment before it stood at zero. Journals of before that was noted leave it out. */
export type Added = Series & { readonly isFromZero?: boolean };

const headBytes = 8;

/**
 * What is not in a block yet, so that a crash loses a few seconds and no more. Each moment is one frame: (u32) length, (u32) CRC, then zstd of a line
 * of JSON and the figures, each as its difference in bits from the one before it, which mostly is none. A frame that was cut off ends the journal.
 */
export class Journal {
  readonly #handle: FileHandle;
  #offset: number;
  /** The latest row that is in the file; it has a figure for each series that the file knows. */
  #before: Float64Array;

  private constructor(handle: FileHandle, offset: number, before: Float64Array<ArrayBuffer>) {
    this.#handle = handle;
    this.#offset = offset;
    this.#before = before;
  }

  /** What the file holds, as far as it is whole, and the journal that goes on after it. */
  static async open(file: string): Promise<{ readonly journal: Journal; readonly entries: readonly Entry[] }> {
    const bytes = await readIfThere(file);
    const entries: Entry[] = [];
    let offset = 0;
    let before = new Float64Array(0);
    for (;;) {
      const frame = frameAt(bytes, offset);
      if (frame === null) break;
      const entry = read(frame, before);
      entries.push(entry);
      before = new Float64Array(entry.values);
      offset += headBytes + frame.length;
    }
    const handle = await open(file, bytes.length === 0 ? "w+" : "r+", 0o600);
    return { journal: new Journal(handle, offset, before), entries };
  }

  /**
   * Writes over what an earlier one left unfinished, and with its row the series that the file does not know: also those of rows that failed.
   * @param series in their order, which never changes
   */
  async append(atMs: number, series: Iterable<Added>, values: Float64Array): Promise<void> {
    const added = [...series].slice(this.#before.length).map(({ name, kind, labels, isFromZero }) => ({ name, kind, labels, isFromZero }));
    const line = Buffer.from(`${JSON.stringify({ atMs, added })}\n`);
    const figures = new Float64Array(values);
    flip(figures, this.#before);
    const payload = zstdCompressSync(Buffer.concat([line, Buffer.from(figures.buffer)]));
    const frame = Buffer.alloc(headBytes + payload.length);
    frame.writeUInt32LE(payload.length, 0);
    frame.writeUInt32LE(crc32(payload), 4);
    frame.set(payload, headBytes);
    await this.#handle.write(frame, 0, frame.length, this.#offset);
    this.#offset += frame.length;
    this.#before = new Float64Array(values);
  }

  /** Everything is in a block now. */
  async clear(): Promise<void> {
    await this.#handle.truncate(0);
    this.#offset = 0;
    this.#before = new Float64Array(0);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function frameAt(bytes: Buffer, offset: number): Buffer | null {
  if (offset + headBytes > bytes.length) return null;
  const length = bytes.readUInt32LE(offset);
  const payload = bytes.subarray(offset + headBytes, offset + headBytes + length);
  return payload.length === length && length > 0 && crc32(payload) === bytes.readUInt32LE(offset + 4) ? payload : null;
}

function read(frame: Buffer, before: Float64Array): Entry {
  const payload = zstdDecompressSync(frame);
  const end = payload.indexOf(10);
  const { atMs, added } = JSON.parse(payload.subarray(0, end).toString()) as Pick<Entry, "atMs" | "added">;
  const values = new Float64Array(new Uint8Array(payload.subarray(end + 1)).buffer);
  flip(values, before);
  return { atMs, added, values };
}

/** Exclusive or of the bits: done twice, it undoes itself. */
function flip(values: Float64Array, before: Float64Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  const other = new Uint32Array(before.buffer, before.byteOffset, 2 * before.length);
  for (let at = Math.min(bits.length, other.length) - 1; at >= 0; at--) bits[at] = (bits[at] as number) ^ (other[at] as number);
}

async function readIfThere(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return Buffer.alloc(0);
    throw error;
  }
}
