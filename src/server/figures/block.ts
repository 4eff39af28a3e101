import { constants, crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readColumn, writeColumn } from "./column.ts";
import { type Kind, type Series, scopeOf } from "./series.ts";

/**
 * A block holds many series at the same moments, written once and never changed:
 *
 *     chunk … chunk  directory  (u32) length of the directory  (u32) its CRC  "DROVERF1"
 *
 * A chunk holds series of one name, those of an app beside each other, compressed with zstd: their labels as JSON, then their columns, each with its
 * length in front. The directory is JSON, compressed too, and has the CRC of each chunk, so that a damaged one is told from a sound one.
 */
const magic = Buffer.from("DROVERF1");
export const tailBytes = 8 + magic.length;

/** So much is packed together: enough for zstd to find what repeats, little enough to read for one graph. */
const chunkBytes = 32 * 1_024;
/** No directory or chunk is this large; a length beyond it is damage. */
const mostBytes = 64 * 2 ** 20;
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

export interface ChunkEntry {
  readonly name: string;
  readonly kind: Kind;
  /** The scopes of its first and its last series. */
  readonly first: string;
  readonly last: string;
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

export interface Directory {
  /** Rises with every block that is written. */
  readonly id: number;
  /** Index into `levels`. */
  readonly level: number;
  /** Epoch milliseconds, rising. */
  readonly times: readonly number[];
  /** Blocks that it was made of and stands for. */
  readonly sources: readonly number[];
  readonly chunks: readonly ChunkEntry[];
}

/** The file is not as it was written. */
export class DamagedBlock extends Error {
  override readonly name = "DamagedBlock";
}

/** Packs series into a block. They come by name, then by scope. */
export class BlockBuilder {
  readonly #about: Omit<Directory, "chunks">;
  readonly #parts: Buffer[] = [];
  readonly #chunks: ChunkEntry[] = [];
  readonly #columns = new ByteWriter();
  readonly #column = new ByteWriter();
  #pending: Series[] = [];
  #offset = 0;

  constructor(about: Omit<Directory, "chunks">) {
    this.#about = about;
  }

  /** @param values one for each of the block's times; NaN: missing */
  add(series: Series, values: Float64Array): void {
    const last = this.#pending.at(-1);
    if (last !== undefined && (last.name !== series.name || last.kind !== series.kind || this.#columns.length > chunkBytes)) this.#pack();
    this.#pending.push(series);
    writeColumn(this.#column, values);
    this.#columns.varint(this.#column.length);
    this.#columns.bytes(this.#column.take());
  }

  finish(): { readonly directory: Directory; readonly bytes: Buffer } {
    this.#pack();
    const directory = { ...this.#about, chunks: this.#chunks };
    const packed = zstdCompressSync(JSON.stringify(directory), compression);
    const tail = Buffer.alloc(8);
    tail.writeUInt32LE(packed.length, 0);
    tail.writeUInt32LE(crc32(packed), 4);
    return { directory, bytes: Buffer.concat([...this.#parts, packed, tail, magic]) };
  }

  #pack(): void {
    const [first, last] = [this.#pending[0], this.#pending.at(-1)];
    if (first === undefined || last === undefined) return;
    const labels = Buffer.from(JSON.stringify(this.#pending.map((series) => series.labels)));
    const raw = new ByteWriter();
    raw.varint(labels.length);
    raw.bytes(labels);
    raw.bytes(this.#columns.take());
    const packed = zstdCompressSync(raw.take(), compression);
    this.#chunks.push({
      name: first.name,
      kind: first.kind,
      first: scopeOf(first),
      last: scopeOf(last),
      offset: this.#offset,
      length: packed.length,
      crc: crc32(packed),
    });
    this.#parts.push(packed);
    this.#offset += packed.length;
    this.#pending = [];
  }
}

/** Where the directory lies, from the last `tailBytes` of a file. @throws {DamagedBlock} */
export function readTail(tail: Buffer, fileBytes: number): { readonly offset: number; readonly length: number; readonly crc: number } {
  if (tail.length !== tailBytes || !tail.subarray(8).equals(magic)) throw new DamagedBlock("the file has no end of a block");
  const length = tail.readUInt32LE(0);
  const offset = fileBytes - tailBytes - length;
  if (length > mostBytes || offset < 0) throw new DamagedBlock("the directory does not fit into the file");
  return { offset, length, crc: tail.readUInt32LE(4) };
}

/** @throws {DamagedBlock} */
export function readDirectory(packed: Buffer, crc: number): Directory {
  return JSON.parse(unpack(packed, crc, "the directory").toString()) as Directory;
}

/** The series of a chunk that are wanted, each with its samples. @throws {DamagedBlock} */
export function* readChunk(
  packed: Buffer,
  { name, kind, crc }: ChunkEntry,
  samples: number,
  isWanted: (series: Series) => boolean,
): Generator<{ readonly series: Series; readonly values: Float64Array }> {
  const input = new ByteReader(unpack(packed, crc, `a part with "${name}"`));
  const all = JSON.parse(input.bytes(input.varint()).toString()) as Series["labels"][];
  for (const labels of all) {
    const column = input.bytes(input.varint());
    const series = { name, kind, labels };
    if (isWanted(series)) yield { series, values: readColumn(new ByteReader(column), samples) };
  }
}

function unpack(packed: Buffer, crc: number, what: string): Buffer {
  if (crc32(packed) !== crc) throw new DamagedBlock(`${what} is not as it was written`);
  return zstdDecompressSync(packed, { maxOutputLength: mostBytes });
}
