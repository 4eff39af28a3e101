import { open, readFile, truncate } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { writeFileAtomic } from "#host/files.ts";
import { hasCode } from "#model/errors.ts";
import type { InstanceId } from "#model/names.ts";
import { isCount, isListOf, isNumber, isRecord, isText, parseJson } from "#model/shape.ts";
import { decodeFrame, type LogFrame, offsetAfterDamage } from "./frame.ts";

/** Which lines of one instance a segment holds. */
interface Span {
  readonly first: number;
  /** After the last. */
  readonly next: number;
}

/** What a segment holds, so that a search can pass it over without reading it. */
export interface SegmentSummary {
  readonly bytes: number;
  readonly lines: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly instances: ReadonlyMap<InstanceId, Span>;
}

export const emptySummary: SegmentSummary = { bytes: 0, lines: 0, firstAtMs: 0, lastAtMs: 0, instances: new Map() };

/** Frames are looked at in slices of this size with a turn of the event loop between them: about a millisecond each. */
const sliceBytes = 512 * 1024;

/** The summary after `frames`, which take `bytes` in the file, were appended. */
export function addToSummary(summary: SegmentSummary, frames: readonly LogFrame[], bytes: number): SegmentSummary {
  const instances = new Map(summary.instances);
  let { lines, firstAtMs, lastAtMs } = summary;
  for (const frame of frames) {
    const next = frame.sequence + frame.lines;
    instances.set(frame.instance, { first: instances.get(frame.instance)?.first ?? frame.sequence, next });
    if (lines === 0) firstAtMs = frame.atMs;
    lastAtMs = Math.max(lastAtMs, frame.atMs);
    lines += frame.lines;
  }
  return { bytes: summary.bytes + bytes, lines, firstAtMs, lastAtMs, instances };
}

/** A whole frame and the offset after it. */
export interface PlacedFrame {
  readonly frame: LogFrame;
  readonly next: number;
}

/**
 * All whole frames of the first `limitBytes` of a segment, oldest first; one that is damaged is passed over if a whole one follows it. An
 * absent file has none: retention may remove it at any time.
 */
export async function* readFrames(file: string, limitBytes: number, signal: AbortSignal): AsyncGenerator<PlacedFrame, void, void> {
  const bytes = await readStart(file, limitBytes);
  let sliceEnd = sliceBytes;
  for (let found = findFrame(bytes, 0); found !== null; found = findFrame(bytes, found.next)) {
    yield found;
    if (found.next < sliceEnd) continue;
    sliceEnd = found.next + sliceBytes;
    await nextTurn(undefined, { signal });
  }
}

function findFrame(bytes: Buffer, offset: number): PlacedFrame | null {
  return decodeFrame(bytes, offset) ?? decodeFrame(bytes, offsetAfterDamage(bytes, offset));
}

async function readStart(file: string, limitBytes: number): Promise<Buffer> {
  try {
    await using handle = await open(file, "r");
    const bytes = Buffer.allocUnsafeSlow(Math.min(limitBytes, (await handle.stat()).size));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return Buffer.alloc(0);
    throw error;
  }
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

/** A stored summary: instances as `[id, first, next]`. */
type StoredSummary = Omit<SegmentSummary, "instances"> & { readonly instances: readonly (readonly [InstanceId, number, number])[] };

function isStoredSummary(value: unknown): value is StoredSummary {
  if (!isRecord(value) || !isListOf(value["instances"], isStoredInstance)) return false;
  return isCount(value["bytes"]) && isCount(value["lines"]) && isNumber(value["firstAtMs"]) && isNumber(value["lastAtMs"]);
}

function isStoredInstance(value: unknown): value is readonly [InstanceId, number, number] {
  return Array.isArray(value) && value.length === 3 && isText(value[0]) && isCount(value[1]) && isCount(value[2]);
}

export const summaryFile = (segmentFile: string) => segmentFile.replace(/\.log$/, ".json");

/** Keeps the summary of a full segment beside it. Only saves work, so it need not survive a power cut. */
export async function storeSummary(segmentFile: string, summary: SegmentSummary): Promise<void> {
  const instances = [...summary.instances].map(([instance, { first, next }]) => [instance, first, next]);
  await writeFileAtomic(summaryFile(segmentFile), JSON.stringify({ ...summary, instances }), { durable: false });
}

/** The stored summary, or null if there is none that can be trusted for a file of this size. */
export async function loadSummary(segmentFile: string, sizeBytes: number): Promise<SegmentSummary | null> {
  let text: string;
  try {
    text = await readFile(summaryFile(segmentFile), "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
  const stored = parseJson(text);
  // One that was cut short by a power cut, or is of another state of the file: the segment itself is read instead.
  if (!isStoredSummary(stored) || stored.bytes !== sizeBytes) return null;
  const { bytes, lines, firstAtMs, lastAtMs } = stored;
  return { bytes, lines, firstAtMs, lastAtMs, instances: new Map(stored.instances.map(([id, first, next]) => [id, { first, next }])) };
}
