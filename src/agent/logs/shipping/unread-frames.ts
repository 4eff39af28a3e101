import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";
import type { LogPlace } from "#model/log-shipping.ts";
import type { AppLog, Shelf } from "../app-log.ts";
import { frameBytes, type LogFrame, storedCrc } from "../frame.ts";
import { DamagedSegmentError } from "../sealed-segment.ts";
import { framesIn, type PlacedFrame, readSegment } from "../segment.ts";

export interface UnreadFrame {
  readonly frame: LogFrame;
  /** After it. */
  readonly place: LogPlace;
  /** Lines between the frame before it and this one that are gone. */
  readonly lostLines: number;
  /** Null place alone: printed before the moment from which lines are wanted. */
  readonly isTooOld: boolean;
}

/** What an app printed after a place, oldest first. @param sinceMs without a place: from this moment on */
export async function* unreadFrames(
  appLog: AppLog,
  from: LogPlace | null,
  sinceMs: number,
  log: Log,
): AsyncGenerator<UnreadFrame, void, void> {
  const shelves = appLog.shelves;
  // It has less than was read of it already: it is the log of a later app of that name.
  if (from !== null && !mayBeOf(shelves, from)) return yield* unreadFrames(appLog, null, sinceMs, log);
  let place = from;
  for (const shelf of shelves) {
    if (from === null ? shelf.lastAtMs < sinceMs : shelf.number < from.segment) continue;
    const isBegun = place !== null && place.segment === shelf.number;
    const start = isBegun && place !== null ? place.bytes - place.last.bytes : 0;
    let lines = isBegun && place !== null ? place.lines : shelf.firstLine;
    const bytes = await readShelf(shelf, start, log);
    if (bytes === null) continue;
    const frames = framesIn(bytes);
    if (isBegun && !isKnown(bytes, frames.next(), place)) return yield* unreadFrames(appLog, null, sinceMs, log);
    for (const { frame, next } of frames) {
      const lostLines = place?.segment === shelf.number ? 0 : Math.max(0, shelf.firstLine - (place?.lines ?? wantedFrom(shelf, sinceMs)));
      lines += frame.lines;
      const size = frameBytes(frame);
      const last = { bytes: size, crc: storedCrc(bytes, next - size) };
      place = { segment: shelf.number, bytes: start + next, lines, atMs: frame.atMs, last };
      yield { frame, place, lostLines, isTooOld: from === null && frame.atMs < sinceMs };
    }
  }
}

/** Without a place, the line from which on they are wanted: if even the oldest that is kept is younger than that moment, those that are gone were. */
function wantedFrom(shelf: Shelf, sinceMs: number): number {
  return shelf.firstAtMs > sinceMs ? 0 : shelf.firstLine;
}

function mayBeOf(shelves: readonly Shelf[], place: LogPlace): boolean {
  const newest = shelves.at(-1);
  if (newest === undefined) return true;
  const shelf = shelves.find(({ number }) => number === place.segment);
  if (shelf !== undefined) return place.bytes <= shelf.bytes;
  const [next] = shelves.filter(({ number }) => number > place.segment);
  return next !== undefined && place.lines <= next.firstLine;
}

/** Whether the frame that lies before the place is the one that it remembers. */
function isKnown(bytes: Buffer, first: IteratorResult<PlacedFrame>, place: LogPlace | null): boolean {
  return first.done !== true && first.value.next === place?.last.bytes && storedCrc(bytes, 0) === place.last.crc;
}

/** Null where it is damaged; what then is missing is told by the next line that is there. */
async function readShelf({ file, bytes }: Shelf, from: number, log: Log): Promise<Buffer | null> {
  try {
    return await readSegment(file, bytes, { fromBytes: from });
  } catch (error) {
    if (!(error instanceof DamagedSegmentError)) throw error;
    log.error("log segment is damaged and not sent", { file, ...errorFields(error) });
    return null;
  }
}
