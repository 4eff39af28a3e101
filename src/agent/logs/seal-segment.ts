import { rm } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { countedLevels } from "#model/log-event.ts";
import type { LogFrame } from "./frame.ts";
import { compressFrames, type SealedIndex, writeSealed } from "./sealed-segment.ts";
import { EventJoiner, levelOfRaw, type RawEvent } from "./search/raw-events.ts";
import { WordFilter } from "./search/word-filter.ts";
import { framesIn, type RoomFor, readSegment, sealedFile } from "./segment.ts";
import { addToSummary, emptySummary, type SegmentSummary } from "./segment-summary.ts";

/** What is indexed before others get a turn: about two milliseconds. */
const sliceBytes = 256 * 1024;

/** Reading a smaller one takes no longer than reading its filter. */
const smallestFiltered = 64 * 1024;

export interface Sealed {
  readonly summary: SegmentSummary;
  /** What it takes on the disk. */
  readonly diskBytes: number;
}

/**
 * Compresses a segment that is no longer written to, with an index of its words and levels. Whatever moment it is cut short at, one whole form
 * of the segment is there.
 */
export async function sealSegment(file: string, summary: SegmentSummary, roomFor: RoomFor, signal: AbortSignal): Promise<Sealed> {
  const bytes = await readSegment(file, summary.bytes, { roomFor });
  const [body, index] = await Promise.all([compressFrames(bytes), indexFrames(bytes, signal)]);
  const diskBytes = await writeSealed(sealedFile(file), body, index);
  await rm(file, { force: true });
  // Segments of before had their summary in a file of its own.
  await rm(file.replace(/\.log$/, ".json"), { force: true });
  return { summary: index.summary, diskBytes };
}

/** What is to be known of frames without taking them apart; worked out while a thread compresses them. */
async function indexFrames(bytes: Buffer, signal: AbortSignal): Promise<Pick<SealedIndex, "summary" | "levels" | "filter">> {
  const filter = bytes.length < smallestFiltered ? null : new WordFilter(bytes.length);
  const levels = countedLevels.map(() => 0);
  const count = (event: RawEvent) => {
    const level = countedLevels.indexOf(levelOfRaw(event));
    levels[level] = (levels[level] ?? 0) + 1;
  };
  const joiner = new EventJoiner();
  const frames: LogFrame[] = [];
  let sliceEnd = sliceBytes;
  for (const { frame, next } of framesIn(bytes)) {
    frames.push(frame);
    const from = frame.body.byteOffset - bytes.byteOffset;
    filter?.add(bytes, from, from + frame.body.length);
    joiner.visit(frame, count, bytes);
    if (next < sliceEnd) continue;
    sliceEnd = next + sliceBytes;
    await nextTurn(undefined, { signal });
  }
  for (const event of joiner.flush()) count(event);
  return { summary: addToSummary(emptySummary, frames, bytes.length), levels, filter: filter?.finish() ?? new Uint8Array() };
}
