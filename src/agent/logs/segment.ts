import { open, truncate } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hasCode } from "#model/errors.ts";
import { decodeFrame, type LogFrame, offsetAfterDamage } from "./frame.ts";
import { readAt, readSealed } from "./sealed-segment.ts";
import { addToSummary, emptySummary, type SegmentSummary } from "./segment-summary.ts";

/** Frames are looked at in slices of this size with a turn of the event loop between them: about a millisecond each. */
const sliceBytes = 512 * 1024;

/** A whole frame and the offset after it. */
export interface PlacedFrame {
  readonly frame: LogFrame;
  readonly next: number;
}

/** Gives the memory that so many bytes are read into. */
export type RoomFor = (bytes: number) => Buffer;

/** A segment is `00000007.log` while it is written to, and `00000007.seal` once it is sealed; it has been both for a moment. */
export function sealedFile(segmentFile: string): string {
  return segmentFile.replace(/\.log$/, ".seal");
}

/**
 * A segment's frames from `fromBytes` up to `limitBytes`, wherever they are by now; empty if it is gone: retention may remove it at any time.
 * @throws {DamagedSegmentError}
 */
export async function readSegment(
  segmentFile: string,
  limitBytes: number,
  { fromBytes = 0, roomFor = Buffer.allocUnsafeSlow }: { readonly fromBytes?: number; readonly roomFor?: RoomFor } = {},
): Promise<Buffer> {
  // The plain file goes only after the sealed one is there, so whoever finds none of either in this order finds none.
  const plain = await unlessAbsent(readPlain(segmentFile, fromBytes, limitBytes, roomFor));
  if (plain !== null) return plain;
  const sealed = await unlessAbsent(readSealed(sealedFile(segmentFile)));
  return sealed === null ? Buffer.alloc(0) : sealed.subarray(fromBytes, limitBytes);
}

async function readPlain(file: string, fromBytes: number, limitBytes: number, roomFor: RoomFor): Promise<Buffer> {
  await using handle = await open(file, "r");
  return readAt(handle, fromBytes, roomFor(Math.max(0, Math.min(limitBytes, (await handle.stat()).size) - fromBytes)));
}

async function unlessAbsent<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

/** All whole frames among the first `limitBytes` of a segment, oldest first. @throws {DamagedSegmentError} */
export async function* readFrames(file: string, limitBytes: number, signal: AbortSignal): AsyncGenerator<PlacedFrame, void, void> {
  let sliceEnd = sliceBytes;
  for (const found of framesIn(await readSegment(file, limitBytes))) {
    yield found;
    if (found.next < sliceEnd) continue;
    sliceEnd = found.next + sliceBytes;
    await nextTurn(undefined, { signal });
  }
}

/** The whole frames of a segment's bytes; one that is damaged is passed over if a whole one follows it. */
export function* framesIn(bytes: Buffer): Generator<PlacedFrame, void, void> {
  for (let found = findFrame(bytes, 0); found !== null; found = findFrame(bytes, found.next)) yield found;
}

function findFrame(bytes: Buffer, offset: number): PlacedFrame | null {
  return decodeFrame(bytes, offset) ?? decodeFrame(bytes, offsetAfterDamage(bytes, offset));
}

/** Reads a whole segment to learn what it holds: up to its last whole frame. */
export async function scanSegment(file: string, sizeBytes: number, signal: AbortSignal): Promise<SegmentSummary> {
  const frames: LogFrame[] = [];
  let bytes = 0;
  for await (const { frame, next } of readFrames(file, sizeBytes, signal)) {
    frames.push({ ...frame, body: emptyBody });
    bytes = next;
  }
  return addToSummary(emptySummary, frames, bytes);
}

const emptyBody = Buffer.alloc(0);

/** Cuts off what a crash left half-written, so that new frames follow whole ones. */
export async function repairSegment(file: string, summary: SegmentSummary): Promise<void> {
  await truncate(file, summary.bytes);
}
