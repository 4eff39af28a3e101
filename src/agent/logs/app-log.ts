import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { failpoint } from "#host/failpoint.ts";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { KeptLines } from "#model/log-keep.ts";
import type { AppId, InstanceId } from "#model/names.ts";
import { isCount, isListOf, isRecord, isText, parseJson } from "#model/shape.ts";
import { encodeFrame, type LogFrame } from "./frame.ts";
import { sealSegment } from "./seal-segment.ts";
import { DamagedSegmentError, readSealedIndex } from "./sealed-segment.ts";
import { mayBeRest } from "./search/stack-trace.ts";
import { type RoomFor, readFrames, repairSegment, scanSegment, sealedFile } from "./segment.ts";
import { addToSummary, emptySummary, type SegmentSummary } from "./segment-summary.ts";

interface Segment {
  readonly number: number;
  /** Its name while it is written to. */
  readonly file: string;
  summary: SegmentSummary;
  isSealed: boolean;
  /** What it takes on the disk. */
  diskBytes: number;
}

/** A segment as a search sees it, at the moment of the question. */
export interface SearchedSegment {
  readonly file: string;
  readonly limitBytes: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** A segment as whoever reads on and on sees it. */
export interface Shelf extends Omit<SearchedSegment, "limitBytes"> {
  readonly number: number;
  /** Of its frames. */
  readonly bytes: number;
  readonly lines: number;
  /** How many lines there were before it, with those that retention has removed. */
  readonly firstLine: number;
}

/** A moment in an app's log: what is appended later lies after it. */
export interface LogPosition {
  readonly segment: number;
  readonly bytes: number;
}

/** Instances whose last number is remembered although none of their lines is kept any more: only those that still live need it. */
const mostRemembered = 1_000;

/** By how much a segment may be too long where the next lines may belong to its last ones: a trace, and what other instances print with its rest. */
const mostOverrun = 2 ** 18 + 2 ** 16;

/** What is kept of removed segments: how many lines went, and the next number of each instance. */
interface Remembered {
  readonly lines: number;
  readonly next: readonly (readonly [InstanceId, number])[];
}

function isRemembered(value: unknown): value is Remembered {
  const isNext = (one: unknown): one is Remembered["next"][number] =>
    Array.isArray(one) && one.length === 2 && isText(one[0]) && isCount(one[1]);
  return isRecord(value) && isCount(value["lines"]) && isListOf(value["next"], isNext);
}

/**
 * The log of one app on disk: numbered segment files that are only appended to, the newest last. One writer at a time; readers at any time.
 * Appended frames survive the death of this program at once, and a power cut when the system gets round to writing them.
 */
export class AppLog {
  readonly app: AppId;
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #log: Log;
  readonly #segments: Segment[] = [];
  /** Full ones that wait to be sealed, oldest first. What cannot be sealed, because it is damaged or the disk is full, is read as it is; the next agent tries again. */
  readonly #unsealed = new Set<Segment>();
  readonly #next = new Map<InstanceId, number>();
  /** Of any file that is there, also of one that cannot be read. */
  #lastNumber = 0;
  #bytes = 0;
  #expiredLines = 0;
  #handle: FileHandle | null = null;

  private constructor(folder: string, app: AppId, segmentBytes: number, log: Log) {
    this.app = app;
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#log = log.with({ app });
  }

  /** Learns what is there and repairs what a crash left. What cannot be read is reported and left alone, and logging goes on after it. */
  static async open(
    options: { readonly folder: string; readonly app: AppId; readonly segmentBytes: number; readonly log: Log },
    signal: AbortSignal,
  ): Promise<AppLog> {
    const appLog = new AppLog(options.folder, options.app, options.segmentBytes, options.log);
    await appLog.#load(signal);
    return appLog;
  }

  /** Instances that have or had lines here. */
  get instances(): Iterable<InstanceId> {
    return this.#next.keys();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Lines that retention has removed, as far as is known. */
  get expiredLines(): number {
    return this.#expiredLines;
  }

  get kept(): KeptLines {
    const [oldest] = this.#segments.filter(({ summary }) => summary.lines > 0);
    return {
      app: this.app,
      bytes: this.#bytes,
      lines: this.#segments.reduce((sum, { summary }) => sum + summary.lines, 0),
      sinceMs: oldest?.summary.firstAtMs ?? null,
      expiredLines: this.#expiredLines,
    };
  }

  /** When the oldest segment that is no longer written to got its last line; null if there is none. */
  get oldestAtMs(): number | null {
    return this.#segments.length > 1 ? (this.#segments[0]?.summary.lastAtMs ?? null) : null;
  }

  get position(): LogPosition {
    const newest = this.#segments.at(-1);
    return { segment: newest?.number ?? 0, bytes: newest?.summary.bytes ?? 0 };
  }

  /** The number of the instance's next line: 1, or what follows its last one. */
  nextSequence(instance: InstanceId): number {
    return this.#next.get(instance) ?? 1;
  }

  /** Appends all of `frames`, or none and throws what the system said. */
  async append(frames: readonly LogFrame[]): Promise<void> {
    const parts = frames.flatMap(encodeFrame);
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    let segment = this.#segments.at(-1);
    const isFull = segment !== undefined && segment.summary.bytes + bytes > this.#segmentBytes;
    const mustRoll = segment !== undefined && segment.summary.bytes + bytes > this.#segmentBytes + mostOverrun;
    // What goes on with a stack trace stays beside its beginning: searches see one segment at a time.
    if (segment === undefined || segment.isSealed || mustRoll || (isFull && !frames.some(({ body }) => mayBeRest(body[0] ?? 0))))
      segment = await this.#roll();
    const handle = (this.#handle ??= await open(segment.file, "r+"));
    try {
      failpoint("logs.append.before");
      const { bytesWritten } = await handle.writev(parts, segment.summary.bytes);
      if (bytesWritten < bytes) throw Object.assign(new Error("the disk took only part of a write"), { code: "ENOSPC" });
    } catch (error) {
      await this.#abandonWrite(handle, segment);
      throw error;
    }
    segment.summary = addToSummary(segment.summary, frames, bytes);
    segment.diskBytes += bytes;
    this.#bytes += bytes;
    for (const frame of frames) this.#next.set(frame.instance, frame.sequence + frame.lines);
  }

  /** Frames up to `position`, newest first, of segments that can hold lines since `sinceMs` of instances that `has` admits. */
  async *readBack(
    position: LogPosition,
    { has, sinceMs }: { readonly has: (instance: InstanceId) => boolean; readonly sinceMs: number | null },
    signal: AbortSignal,
  ): AsyncGenerator<LogFrame, void, void> {
    for (const { number, file, summary } of this.#segments.toReversed()) {
      if (number > position.segment || (sinceMs !== null && summary.lastAtMs < sinceMs)) continue;
      if (![...summary.instances.keys()].some(has)) continue;
      const frames: LogFrame[] = [];
      const limitBytes = number === position.segment ? position.bytes : summary.bytes;
      try {
        for await (const { frame } of readFrames(file, limitBytes, signal)) {
          if (has(frame.instance) && (sinceMs === null || frame.atMs >= sinceMs)) frames.push(frame);
        }
      } catch (error) {
        if (!(error instanceof DamagedSegmentError)) throw error;
        this.#log.error("log segment is damaged and passed over", { file, ...errorFields(error) });
      }
      yield* frames.reverse();
    }
  }

  /** Segments that can hold lines of these instances within that time, oldest first. */
  segments(has: (instance: InstanceId) => boolean, sinceMs: number | null, untilMs: number | null): readonly SearchedSegment[] {
    return this.#segments.flatMap(({ file, summary: { bytes, firstAtMs, lastAtMs, instances } }) => {
      if (bytes === 0 || (sinceMs !== null && lastAtMs < sinceMs) || (untilMs !== null && firstAtMs >= untilMs)) return [];
      return [...instances.keys()].some(has) ? [{ file, limitBytes: bytes, firstAtMs, lastAtMs }] : [];
    });
  }

  /** All that is kept, oldest first. */
  get shelves(): readonly Shelf[] {
    let firstLine = this.#expiredLines;
    return this.#segments.map(({ number, file, summary: { bytes, lines, firstAtMs, lastAtMs } }) => {
      const shelf = { number, file, bytes, lines, firstLine, firstAtMs, lastAtMs };
      firstLine += lines;
      return shelf;
    });
  }

  /** Those that hold any of the instance's lines with these numbers, oldest first. */
  segmentsWith(instance: InstanceId, from: number, to: number): readonly SearchedSegment[] {
    return this.#segments.flatMap(({ file, summary: { bytes, firstAtMs, lastAtMs, instances } }) => {
      const span = instances.get(instance);
      return span === undefined || span.next <= from || span.first > to ? [] : [{ file, limitBytes: bytes, firstAtMs, lastAtMs }];
    });
  }

  get hasUnsealed(): boolean {
    return this.#unsealed.size > 0;
  }

  /** Compresses and indexes one segment that is no longer written to. Whether there are more. */
  async sealOne(roomFor: RoomFor, signal: AbortSignal): Promise<boolean> {
    const [segment] = this.#unsealed;
    if (segment === undefined) return false;
    try {
      const { summary, diskBytes } = await sealSegment(segment.file, segment.summary, roomFor, signal);
      this.#bytes += this.#segments.includes(segment) ? diskBytes - segment.diskBytes : 0;
      Object.assign(segment, { summary, diskBytes, isSealed: true } satisfies Partial<Segment>);
    } catch (error) {
      signal.throwIfAborted();
      if (this.#segments.includes(segment)) throw error;
    } finally {
      this.#unsealed.delete(segment);
    }
    // Retention, or the end of the app, may have come meanwhile.
    if (!this.#segments.includes(segment)) await rm(sealedFile(segment.file), { force: true });
    return this.hasUnsealed;
  }

  /** Removes the oldest segment but never the one that is written to. Returns the bytes freed. */
  async expireOldest(): Promise<number> {
    if (this.#segments.length < 2) return 0;
    const oldest = this.#segments.shift();
    if (oldest === undefined) return 0;
    this.#unsealed.delete(oldest);
    this.#expiredLines += oldest.summary.lines;
    this.#bytes -= oldest.diskBytes;
    await this.#remember();
    await rm(oldest.file, { force: true });
    await rm(sealedFile(oldest.file), { force: true });
    return oldest.diskBytes;
  }

  /** Lets go of the file; the next append opens it again. */
  async closeFile(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async destroy(): Promise<void> {
    await this.closeFile();
    this.#segments.length = 0;
    this.#unsealed.clear();
    this.#bytes = 0;
    this.#next.clear();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #load(signal: AbortSignal): Promise<void> {
    const numbers = (await this.#list()).sort((a, b) => a - b);
    this.#lastNumber = numbers.at(-1) ?? 0;
    for (const number of numbers) {
      const file = this.#fileOf(number);
      try {
        this.#segments.push({ number, file, ...(await this.#learn(file, signal)) });
      } catch (error) {
        signal.throwIfAborted();
        this.#log.error("log segment cannot be read", { file, ...errorFields(error) });
      }
    }
    await this.#recall();
    for (const segment of this.#segments.slice(0, -1)) if (!segment.isSealed) this.#unsealed.add(segment);
    for (const { summary, diskBytes } of this.#segments) {
      this.#bytes += diskBytes;
      for (const [instance, { next }] of summary.instances) this.#next.set(instance, next);
    }
  }

  async #list(): Promise<number[]> {
    try {
      const names = await readdir(this.#folder);
      return [...new Set(names.filter((name) => /^\d{8}\.(?:log|seal)$/.test(name)).map((name) => Number(name.slice(0, 8))))];
    } catch (error) {
      // Unreadable logs must not keep an instance from running: what it prints now is more important than what was.
      if (!hasCode(error, "ENOENT")) this.#log.error("the logs of an app cannot be read", errorFields(error));
      return [];
    }
  }

  async #learn(file: string, signal: AbortSignal): Promise<Pick<Segment, "summary" | "isSealed" | "diskBytes">> {
    const sealed = await this.#learnSealed(file);
    if (sealed !== null) return sealed;
    const { size } = await stat(file);
    const summary = await scanSegment(file, size, signal);
    if (summary.bytes < size) {
      this.#log.warn("log segment ended in a half-written record, which was cut off", { file, cut_bytes: size - summary.bytes });
      await repairSegment(file, summary);
    }
    return { summary, isSealed: false, diskBytes: summary.bytes };
  }

  /** Null where the segment is plain: not sealed yet, or a crash came between the two forms. */
  async #learnSealed(file: string): Promise<Pick<Segment, "summary" | "isSealed" | "diskBytes"> | null> {
    try {
      await using handle = await open(sealedFile(file), "r");
      const { summary } = await readSealedIndex(handle);
      const { size } = await handle.stat();
      await rm(file, { force: true });
      return { summary, isSealed: true, diskBytes: size };
    } catch (error) {
      if (hasCode(error, "ENOENT")) return null;
      throw error;
    }
  }

  /** Ends the newest segment and begins the next. */
  async #roll(): Promise<Segment> {
    if (this.#segments.length === 0) await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const number = ++this.#lastNumber;
    const file = this.#fileOf(number);
    // Together, because the app's lines wait for it. "w", not "wx": an attempt that failed may have left an empty file behind.
    const [, handle] = await Promise.all([this.closeFile(), open(file, "w", 0o600)]);
    this.#handle = handle;
    const full = this.#segments.at(-1);
    if (full?.isSealed === false) this.#unsealed.add(full);
    const segment: Segment = { number, file, summary: emptySummary, isSealed: false, diskBytes: 0 };
    this.#segments.push(segment);
    return segment;
  }

  /** Leaves only whole frames behind. If not even that works, the next open cuts the rest off, and a new segment is begun. */
  async #abandonWrite(handle: FileHandle, segment: Segment): Promise<void> {
    try {
      await handle.truncate(segment.summary.bytes);
    } catch (error) {
      this.#log.warn("a half-written log record could not be cut off yet", { file: segment.file, ...errorFields(error) });
      await this.closeFile();
    }
  }

  async #remember(): Promise<void> {
    const kept = new Set(this.#segments.flatMap(({ summary }) => [...summary.instances.keys()]));
    const next = [...this.#next].filter(([instance]) => !kept.has(instance)).slice(-mostRemembered);
    await writeFileAtomic(this.#rememberedFile, JSON.stringify({ lines: this.#expiredLines, next }), { durable: false });
    const forgotten = new Set(next.map(([instance]) => instance));
    for (const instance of this.#next.keys()) if (!kept.has(instance) && !forgotten.has(instance)) this.#next.delete(instance);
  }

  async #recall(): Promise<void> {
    try {
      const text = await readTextIfThere(this.#rememberedFile);
      if (text === null) return;
      const stored = parseJson(text);
      if (!isRemembered(stored)) throw new Error("the file does not hold what was written");
      this.#expiredLines = stored.lines;
      for (const [instance, sequence] of stored.next) this.#next.set(instance, sequence);
    } catch (error) {
      this.#log.error("the numbers of removed log lines cannot be read", { file: this.#rememberedFile, ...errorFields(error) });
    }
  }

  get #rememberedFile(): string {
    return join(this.#folder, "expired.json");
  }

  #fileOf(number: number): string {
    return join(this.#folder, `${String(number).padStart(8, "0")}.log`);
  }
}
