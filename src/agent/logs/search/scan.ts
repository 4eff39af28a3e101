import { readFileSync } from "node:fs";
import { hasCode } from "#model/errors.ts";
import {
  compareKeys,
  countedLevels,
  type LogContext,
  type LogContextAnswer,
  type LogCount,
  type LogCountAnswer,
  type LogEvent,
  type LogSearch,
  type LogSearchAnswer,
} from "#model/log-event.ts";
import { parseLogQuery } from "#model/log-query.ts";
import type { MachineId } from "#model/names.ts";
import type { SearchedSegment } from "../app-log.ts";
import { DamagedSegmentError, firstReadBytes, readSealedSync, type SealedIndex } from "../sealed-segment.ts";
import { framesIn, sealedFile } from "../segment.ts";
import { foldBytes } from "./fold.ts";
import { LineMasks } from "./line-masks.ts";
import { matches, ReadEvent } from "./match-event.ts";
import { Needles } from "./needles.ts";
import { EventJoiner, type RawEvent, sizeOf } from "./raw-events.ts";
import { selectAny } from "./select-any.ts";
import { told } from "./told.ts";

/*
 * Searches of segments, for a thread of their own: they read, decompress and wait as they like. A search has a share of time; what it did not
 * look at within it, it says.
 */

/** What one question may take; after it, the answer is what was found until then, and says how far that reaches. */
const longestMs = 3_000;
/** What an answer carries at most: far above what a page of ordinary events takes. */
const mostAnswerBytes = 8 * 2 ** 20;

export interface ScanOptions {
  readonly machine: MachineId;
  readonly segments: readonly SearchedSegment[];
  readonly monotonicMs: () => number;
}

/** The newest events that match, newest first. @throws {DroverError} LOG_QUERY_INVALID */
export function searchSegments(search: LogSearch, options: ScanOptions): LogSearchAnswer {
  const { before, limit } = search;
  const untilMs = Math.min(search.untilMs ?? Number.POSITIVE_INFINITY, before === null ? Number.POSITIVE_INFINITY : before.atMs + 1);
  const found = new Newest(limit);
  const scan = new Scan({ ...search, untilMs }, options);
  const answer = (searchedToMs: number | null): LogSearchAnswer => ({
    events: found.newestFirst
      .filter(({ raw }) => searchedToMs === null || raw.atMs >= searchedToMs)
      .map((event) => told(event, options.machine)),
    hasMore: searchedToMs !== null || found.isFull,
    searchedToMs,
    damaged: scan.damaged,
  });
  // Newest first, so that once there are enough, nothing older is looked at.
  for (const segment of [...options.segments].sort((a, b) => b.lastAtMs - a.lastAtMs)) {
    if (found.isFull && segment.lastAtMs < (found.newestFirst.at(-1)?.raw.atMs ?? 0)) break;
    // Never before it has come further than whoever asks again from there, or they would ask forever.
    if (scan.isOver && segment.lastAtMs + 1 < untilMs) return answer(segment.lastAtMs + 1);
    for (const event of scan.events(segment)) if (before === null || compareKeys(event.raw, before) < 0) found.add(event);
    found.cut();
  }
  return answer(null);
}

/** How many events match in each bucket of time. Segments are counted whole, newest first. @throws {DroverError} LOG_QUERY_INVALID */
export function countInSegments(count: LogCount, options: ScanOptions): LogCountAnswer {
  const buckets = Array.from({ length: Math.ceil((count.untilMs - count.sinceMs) / count.bucketMs) }, () => countedLevels.map(() => 0));
  const bucketOf = (atMs: number) => Math.floor((atMs - count.sinceMs) / count.bucketMs);
  const scan = new Scan(count, options);
  for (const segment of [...options.segments].sort((a, b) => b.lastAtMs - a.lastAtMs)) {
    if (scan.isOver) return { buckets, searchedToMs: segment.lastAtMs + 1, damaged: scan.damaged };
    const whole = scan.countsOf(segment, bucketOf(segment.firstAtMs) === bucketOf(segment.lastAtMs));
    if (whole !== null) {
      const bucket = buckets[bucketOf(segment.firstAtMs)];
      for (const [level, events] of whole.entries()) if (bucket !== undefined) bucket[level] = (bucket[level] ?? 0) + events;
      continue;
    }
    for (const event of scan.events(segment)) {
      const bucket = buckets[bucketOf(event.raw.atMs)];
      const level = countedLevels.indexOf(event.level);
      if (bucket !== undefined) bucket[level] = (bucket[level] ?? 0) + 1;
    }
  }
  return { buckets, searchedToMs: null, damaged: scan.damaged };
}

/** What stands around one event of an instance, oldest first. */
export function contextInSegments({ instance, sequence, before, after }: LogContext, options: ScanOptions): LogContextAnswer {
  const scan = new Scan({ of: [instance], except: [], query: "", sinceMs: null, untilMs: null }, options);
  const events: LogEvent[] = [];
  for (const segment of options.segments) for (const event of scan.events(segment)) events.push(told(event, options.machine));
  events.sort((a, b) => a.sequence - b.sequence);
  const at = events.findIndex((event) => event.sequence + event.lines > sequence);
  const place = at === -1 ? events.length : at;
  return { events: events.slice(Math.max(0, place - before), place + after + 1), damaged: scan.damaged };
}

type Wanted = Omit<LogSearch, "before" | "limit">;

class Scan {
  readonly damaged: string[] = [];
  readonly #wanted: Wanted;
  readonly #options: ScanOptions;
  readonly #expression: ReturnType<typeof parseLogQuery>;
  readonly #needles: Needles;
  readonly #masks: LineMasks;
  readonly #has: ReturnType<typeof selectAny>["has"];
  readonly #endsMs: number;
  readonly #room = Buffer.allocUnsafeSlow(firstReadBytes);

  constructor(wanted: Wanted, options: ScanOptions) {
    this.#wanted = wanted;
    this.#options = options;
    this.#expression = parseLogQuery(wanted.query);
    this.#needles = new Needles(this.#expression);
    this.#masks = new LineMasks(wanted.masks);
    this.#has = selectAny(wanted).has;
    this.#endsMs = options.monotonicMs() + longestMs;
  }

  get isOver(): boolean {
    return this.#options.monotonicMs() > this.#endsMs;
  }

  /** The segment's matching events, in no order. */
  *events(segment: SearchedSegment): Generator<ReadEvent, void, void> {
    const bytes = this.#read(segment);
    if (bytes === null) return;
    if (!this.#needles.isEmpty && !this.#needles.standIn(foldBytes(bytes))) return;
    const joiner = new EventJoiner();
    for (const { frame } of framesIn(bytes)) {
      if (!this.#has(frame.instance)) continue;
      for (const event of joiner.take(frame, bytes)) yield* this.#matching(event);
    }
    for (const event of joiner.flush()) yield* this.#matching(event);
  }

  /** Counts by level straight from a segment's index; null where it has to be read. @param isOneBucket whether all of it counts for one bucket */
  countsOf(segment: SearchedSegment, isOneBucket: boolean): readonly number[] | null {
    const { query, sinceMs, untilMs } = this.#wanted;
    if (!isOneBucket || query.trim() !== "" || segment.firstAtMs < (sinceMs ?? 0) || segment.lastAtMs >= (untilMs ?? Infinity)) return null;
    let levels: readonly number[] | null = null;
    this.#readSealed(segment, (index) => {
      if ([...index.summary.instances.keys()].every(this.#has)) levels = index.levels;
      return false;
    });
    return levels;
  }

  *#matching(raw: RawEvent): Generator<ReadEvent, void, void> {
    const { sinceMs, untilMs } = this.#wanted;
    if ((sinceMs !== null && raw.atMs < sinceMs) || (untilMs !== null && raw.atMs >= untilMs)) return;
    const event = new ReadEvent(raw, this.#options.machine, this.#masks.of(raw.instance));
    if (matches(event, this.#expression)) yield event;
  }

  /** Null where the segment cannot hold anything that is wanted, is damaged, or is gone. */
  #read(segment: SearchedSegment): Buffer | null {
    try {
      return readFileSync(segment.file).subarray(0, segment.limitBytes);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
    return (
      this.#readSealed(segment, ({ filter, levels }) => this.#needles.mayBeIn(filter, levels))?.subarray(0, segment.limitBytes) ?? null
    );
  }

  #readSealed({ file }: SearchedSegment, wants: (index: SealedIndex) => boolean): Buffer | null {
    try {
      return readSealedSync(sealedFile(file), wants, this.#room);
    } catch (error) {
      // Retention may remove it at any time.
      if (hasCode(error, "ENOENT")) return null;
      if (!(error instanceof DamagedSegmentError)) throw error;
      this.damaged.push(sealedFile(file));
      return null;
    }
  }
}

/** Keeps the newest of what it is given, up to a number of them and of bytes. */
class Newest {
  readonly #limit: number;
  #kept: ReadEvent[] = [];
  #isFull = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** After `cut`: whether there was more than is kept, or as much as may be. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** After `cut`. */
  get newestFirst(): readonly ReadEvent[] {
    return this.#kept;
  }

  add(event: ReadEvent): void {
    this.#kept.push(event);
    // Not at each one, because sorting takes longer than keeping a few times as many.
    if (this.#kept.length >= 4 * this.#limit + 1_000) this.cut();
  }

  cut(): void {
    this.#kept.sort((a, b) => compareKeys(b.raw, a.raw));
    let bytes = 0;
    let count = 0;
    while (count < Math.min(this.#limit, this.#kept.length) && bytes < mostAnswerBytes) bytes += sizeOf(this.#kept[count++]?.raw);
    this.#isFull ||= count === this.#limit || count < this.#kept.length;
    this.#kept.length = count;
  }
}
