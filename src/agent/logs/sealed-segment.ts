import { closeSync, openSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { crc32, constants as zlibConstants, zstdCompress, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { writeFileAtomic } from "#host/files.ts";
import { isCount, isListOf, isRecord, parseJson } from "#model/shape.ts";
import { isStoredSummary, type SegmentSummary, type StoredSummary, storedForm, summaryOf } from "./segment-summary.ts";

/*
 * A segment that is no longer written to, as a file of three parts:
 *
 *   "DRVSEAL1", length of the head, CRC-32 of the head    8 + 4 + 4 bytes
 *   head: JSON, {@link SealedHead}
 *   word filter, as `search/word-filter.ts` makes it
 *   the frames, zstd with a checksum
 *
 * So a search reads the start of the file, and the rest only if the filter lets it.
 */

const magic = Buffer.from("DRVSEAL1");
const fixedBytes = magic.length + 8;
/** One read gets the head and the filter of nearly every segment. */
export const firstReadBytes = 80 * 1024;
const mostHeadBytes = 8 * 2 ** 20;
const mostFilterBytes = 2 ** 21;
/** Fast, and on logs smaller too than the levels above it. */
const zstdLevel = 1;

/**
 * Room that compressed frames get at once, for each byte of theirs: most logs need a third. In the usual steps of 16 KiB, each of which goes to a
 * thread and back, it took half as long again.
 */
const roomShare = 0.5;
const leastRoomBytes = 4_096;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

interface SealedHead extends StoredSummary {
  /** Events by level, in the order of `countedLevels`. */
  readonly levels: readonly number[];
  readonly filterBytes: number;
  readonly filterCrc: number;
  readonly storedBytes: number;
}

/** What is known of a sealed segment without taking it apart. */
export interface SealedIndex {
  readonly summary: SegmentSummary;
  readonly levels: readonly number[];
  readonly filter: Uint8Array;
  /** Where the frames begin in the file, and how many bytes they take there. */
  readonly bodyAt: number;
  readonly storedBytes: number;
}

/** A file that does not hold what was written to it. */
export class DamagedSegmentError extends Error {}

/** Frames as a sealed segment holds them; made in a thread. */
export function compressFrames(frames: Buffer): Promise<Buffer> {
  const params = { [zlibConstants.ZSTD_c_compressionLevel]: zstdLevel, [zlibConstants.ZSTD_c_checksumFlag]: 1 };
  return compress(frames, { params, chunkSize: Math.max(leastRoomBytes, Math.ceil(frames.length * roomShare)) });
}

/** Writes a sealed segment. Returns the size of the file. @param body as `compressFrames` makes it */
export async function writeSealed(file: string, body: Buffer, index: Pick<SealedIndex, "summary" | "levels" | "filter">): Promise<number> {
  const head: SealedHead = {
    ...storedForm(index.summary),
    levels: index.levels,
    filterBytes: index.filter.length,
    filterCrc: crc32(index.filter),
    storedBytes: body.length,
  };
  const text = Buffer.from(JSON.stringify(head));
  const fixed = Buffer.alloc(fixedBytes);
  magic.copy(fixed);
  fixed.writeUInt32LE(text.length, magic.length);
  fixed.writeUInt32LE(crc32(text), magic.length + 4);
  const bytes = Buffer.concat([fixed, text, index.filter, body]);
  // On the disk for sure before the file that it replaces goes.
  await writeFileAtomic(file, bytes);
  return bytes.length;
}

/** What is known of a sealed segment, from the bytes that its file begins with; the number of bytes that this takes where they are too few. @throws {DamagedSegmentError} */
export function indexIn(start: Buffer): SealedIndex | number {
  if (start.length < fixedBytes || !start.subarray(0, magic.length).equals(magic))
    throw new DamagedSegmentError("it begins as no sealed segment does");
  const headBytes = start.readUInt32LE(magic.length);
  if (headBytes > mostHeadBytes) throw new DamagedSegmentError("its head is damaged");
  const headEnd = fixedBytes + headBytes;
  if (headEnd > start.length) return headEnd + mostFilterBytes;
  const text = start.subarray(fixedBytes, headEnd);
  const head = crc32(text) === start.readUInt32LE(magic.length + 4) ? parseJson(text.toString()) : undefined;
  if (!isSealedHead(head)) throw new DamagedSegmentError("its head is damaged");
  const bodyAt = headEnd + head.filterBytes;
  if (bodyAt > start.length) return bodyAt;
  const filter = start.subarray(headEnd, bodyAt);
  if (crc32(filter) !== head.filterCrc) throw new DamagedSegmentError("its word filter is damaged");
  return { summary: summaryOf(head), levels: head.levels, filter, bodyAt, storedBytes: head.storedBytes };
}

/** Reads what is known of a sealed segment. @throws {DamagedSegmentError} and whatever the system says, such as ENOENT */
export async function readSealedIndex(handle: FileHandle): Promise<SealedIndex> {
  const first = indexIn(await readAt(handle, 0, Buffer.allocUnsafeSlow(firstReadBytes)));
  const index = typeof first === "number" ? indexIn(await readAt(handle, 0, Buffer.allocUnsafeSlow(first))) : first;
  if (typeof index === "number") throw new DamagedSegmentError("it was cut short");
  return index;
}

/** Opens, reads and closes. @throws {DamagedSegmentError} */
export async function readSealed(file: string): Promise<Buffer> {
  await using handle = await open(file, "r");
  const index = await readSealedIndex(handle);
  const stored = await readAt(handle, index.bodyAt, Buffer.allocUnsafeSlow(index.storedBytes));
  const options = { maxOutputLength: mostOutput(index) };
  return wholeBody(index, stored, await decompress(stored, options).catch(damaged));
}

/** The same for a thread that may wait. `wants` says by the index whether the frames are wanted at all; null if not. @param room for the first read, so that a search of many segments needs no new one for each @throws {DamagedSegmentError} */
export function readSealedSync(
  file: string,
  wants: (index: SealedIndex) => boolean,
  room = Buffer.allocUnsafeSlow(firstReadBytes),
): Buffer | null {
  const descriptor = openSync(file, "r");
  try {
    const first = indexIn(readAtSync(descriptor, 0, room));
    const index = typeof first === "number" ? indexIn(readAtSync(descriptor, 0, Buffer.allocUnsafeSlow(first))) : first;
    if (typeof index === "number") throw new DamagedSegmentError("it was cut short");
    if (!wants(index)) return null;
    const stored = readAtSync(descriptor, index.bodyAt, Buffer.allocUnsafeSlow(index.storedBytes));
    try {
      return wholeBody(index, stored, zstdDecompressSync(stored, { maxOutputLength: mostOutput(index) }));
    } catch (error) {
      return damaged(error);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** A damaged length must not make it larger than the segment was. */
function mostOutput({ summary }: SealedIndex): number {
  return Math.max(1, summary.bytes);
}

function wholeBody({ summary, storedBytes }: SealedIndex, stored: Buffer, frames: Buffer): Buffer {
  if (stored.length === storedBytes && frames.length === summary.bytes) return frames;
  throw new DamagedSegmentError("some of its lines are missing");
}

function damaged(cause: unknown): never {
  throw cause instanceof DamagedSegmentError ? cause : new DamagedSegmentError("its lines are damaged", { cause });
}

function isSealedHead(value: unknown): value is SealedHead {
  if (!isRecord(value) || !isStoredSummary(value)) return false;
  const { levels, filterBytes, filterCrc, storedBytes } = value as Partial<Record<keyof SealedHead, unknown>>;
  return isListOf(levels, isCount) && isCount(filterBytes) && filterBytes <= mostFilterBytes && isCount(filterCrc) && isCount(storedBytes);
}

/** Fills `bytes` from there; less of them only where the file ends. */
export async function readAt(handle: FileHandle, position: number, bytes: Buffer): Promise<Buffer> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function readAtSync(descriptor: number, position: number, bytes: Buffer): Buffer {
  let filled = 0;
  while (filled < bytes.length) {
    const bytesRead = readSync(descriptor, bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
