import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { BlockBuilder, DamagedBlock, readChunk } from "./block.ts";
import { type Block, openBlocks, readChunks, writeBlock } from "./block-files.ts";
import { Journal } from "./journal.ts";
import { finest, levels, startOf } from "./levels.ts";
import { mergeBlocks } from "./merge-blocks.ts";
import { type Limits, OpenBlock } from "./open-block.ts";
import { compareSeries, type Kind, keyOf, type Sample, type Series, scopeOf } from "./series.ts";

/** 20,000 rows of half an hour take some 30 MB. What apps tell may fill half of them, and one app a tenth, so that none takes the place of others. */
const defaultLimits: Limits = { series: 20_000, ofApps: 10_000, ofApp: 2_000 };
/** Of what is kept; some fifteen days of 20,000 series. The oldest goes first. */
const mostDiskBytes = 2 ** 30;
/** A clock that leaps so far from the one that never does was set by somebody, and what seems too old may not be. */
const leapMs = 300_000;
/** So long after a leap nothing is thrown away: whoever set the clock wrongly has time to notice. */
const heldMs = 3_600_000;
/** Series between two turns of others. */
const atOnce = 500;
/** Blocks that are read ahead while one is looked at. */
const readAhead = 4;

export interface FigureStoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Limits;
}

/** What is asked of the store. */
export interface Selection {
  readonly name: string;
  /** The only scope that it is about, as `scopeOf` names it; null: any. */
  readonly scope: string | null;
  readonly isWanted: (series: Series) => boolean;
  /** Epoch milliseconds, both inclusive. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Samples of one series; a series comes once for each block that has it. NaN: missing. */
export interface Stretch {
  readonly key: string;
  readonly series: Series;
  readonly times: readonly number[];
  readonly values: Float64Array;
}

export interface FigureStoreState {
  /** That are followed now. */
  readonly series: number;
  /** That have no place. */
  readonly refused: number;
  readonly diskBytes: number;
  readonly oldestMs: number | null;
  /** Files that could not be read. */
  readonly damaged: readonly string[];
  /** Why the last moment could not be written; null if it could. */
  readonly failure: string | null;
}

/**
 * Figures over time: a sample each 15 seconds for a day, each minute for three days, each five minutes for fifteen. The last half hour is in memory and
 * in a journal, older ones in blocks that never change. A crash loses what the journal had not got yet; damage loses the part that it is in.
 */
export class FigureStore {
  readonly #options: FigureStoreOptions;
  readonly #limits: Limits;
  readonly #journal: Journal;
  readonly #damaged: Set<string>;
  #blocks: Block[];
  #open: OpenBlock;
  /** The one before it, which is on disk too: so the last half hour at least is in memory. */
  #previous: OpenBlock | null = null;
  #nextId: number;
  #failure: string | null = null;
  #before: { readonly wallMs: number; readonly monotonicMs: number } | null = null;
  /** Until when nothing is thrown away, by the clock that never jumps. */
  #heldUntilMs = 0;

  private constructor(options: FigureStoreOptions, journal: Journal, blocks: Block[], damaged: readonly string[]) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    this.#journal = journal;
    this.#blocks = blocks;
    this.#damaged = new Set(damaged);
    this.#open = new OpenBlock(this.#limits);
    const ids = [...blocks.map(({ id }) => id), ...damaged.map((file) => Number(/(\d{10})\.block$/.exec(file)?.[1] ?? 0))];
    this.#nextId = Math.max(0, ...ids) + 1;
  }

  static async open(options: FigureStoreOptions): Promise<FigureStore> {
    const { folder, log } = options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { blocks, damaged } = await openBlocks(folder, log);
    const { journal, entries } = await Journal.open(join(folder, "open.journal"));
    const store = new FigureStore(options, journal, blocks, damaged);
    for (const { atMs, added, values } of entries)
      store.#open.restore(
        atMs,
        added.map((series) => ({ ...series, isFromZero: series.isFromZero ?? false, key: keyOf(series) })),
        values,
      );
    const newestMs = Math.max(entries.at(-1)?.atMs ?? 0, ...blocks.map(({ toMs }) => toMs));
    // A machine that stood still for long starts with a clock that may be wrong.
    if (newestMs > 0 && Math.abs(options.clock.nowMs() - newestMs) > levels[0].keptMs) store.#hold();
    return store;
  }

  get state(): FigureStoreState {
    return {
      series: this.#open.series.size,
      refused: this.#open.refused,
      diskBytes: this.#blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      oldestMs: this.#blocks.length === 0 ? (this.#open.times[0] ?? null) : Math.min(...this.#blocks.map(({ fromMs }) => fromMs)),
      damaged: [...this.#damaged],
      failure: this.#failure,
    };
  }

  /** The latest series that are followed. */
  get live(): Iterable<Series> {
    return this.#open.series.values();
  }

  /**
   * Adds all figures of one moment. One call at a time. A second one for the same step is left out; one for an earlier time, because the clock was set
   * back, begins a block of its own. What cannot be written is kept in memory for its half hour, and `state.failure` says why.
   */
  async append(atMs: number, samples: Iterable<Sample>): Promise<void> {
    const slotMs = startOf(atMs, finest.stepMs);
    this.#watchClock(atMs);
    const last = this.#open.times.at(-1);
    if (last === slotMs) return;
    try {
      if (last !== undefined && (slotMs < last || startOf(slotMs, finest.blockMs) !== startOf(last, finest.blockMs))) await this.#seal();
      this.#open.add(slotMs, samples, this.#previous);
      await this.#journal.append(slotMs, this.#open.series.values(), this.#open.latest());
      this.#failure = null;
    } catch (error) {
      if (this.#failure === null) this.#options.log.warn("figures are not kept", errorFields(error));
      this.#failure = error instanceof Error ? error.message : String(error);
    }
  }

  /** What is in memory of a name, in the order of time: half an hour at least, unless the server was started since. */
  *recent(name: string): Generator<Stretch, void, void> {
    for (const block of [this.#previous, this.#open])
      for (const series of block?.series.values() ?? [])
        if (series.name === name && block !== null) {
          const { times } = block;
          yield { key: series.key, series, times, values: series.values.subarray(0, times.length) };
        }
  }

  /** Everything that is kept of the selection, in the order of time as far as clocks went forward. */
  async *read({ name, scope, isWanted, fromMs, toMs }: Selection): AsyncGenerator<Stretch, void, void> {
    const blocks = this.#blocks
      .filter((block) => block.fromMs <= toMs && block.toMs >= fromMs)
      .sort((a, b) => a.fromMs - b.fromMs || a.id - b.id);
    const open = this.#open;
    const chunksOf = (block: Block) =>
      block.chunks.filter((chunk) => chunk.name === name && (scope === null || (chunk.first <= scope && scope <= chunk.last)));
    for (let i = 0; i < blocks.length; i += readAhead) {
      const some = blocks.slice(i, i + readAhead).map((block) => ({ block, chunks: chunksOf(block) }));
      const read = await Promise.all(some.map(({ block, chunks }) => (chunks.length === 0 ? [] : readChunks(block, chunks))));
      for (const [at, { block, chunks }] of some.entries())
        for (const [of, packed] of (read[at] ?? []).entries()) yield* this.#stretches(block, chunks[of], packed, isWanted);
    }
    const times = [...open.times];
    if (times.length === 0 || (times[0] as number) > toMs) return;
    for (const series of open.series.values())
      if (series.name === name && (scope === null || scopeOf(series) === scope) && isWanted(series))
        yield { key: series.key, series, times, values: series.values.slice(0, times.length) };
  }

  /** Names that there is something of since `fromMs`, with their kinds. */
  names(fromMs: number): ReadonlyMap<string, Kind> {
    const names = new Map<string, Kind>();
    for (const { toMs, chunks } of this.#blocks) if (toMs >= fromMs) for (const { name, kind } of chunks) names.set(name, kind);
    for (const { name, kind } of this.#open.series.values()) names.set(name, kind);
    return names;
  }

  async close(): Promise<void> {
    await this.#journal.close();
  }

  *#stretches(
    block: Block,
    chunk: Block["chunks"][number] | undefined,
    packed: Buffer,
    isWanted: (series: Series) => boolean,
  ): Generator<Stretch> {
    if (chunk === undefined) return;
    try {
      for (const { series, values } of readChunk(packed, chunk, block.times.length, isWanted))
        yield { key: keyOf(series), series, times: block.times, values };
    } catch (error) {
      if (!(error instanceof DamagedBlock)) throw error;
      this.#damage(block, error);
    }
  }

  #damage({ file }: Block, error: DamagedBlock): void {
    if (!this.#damaged.has(file))
      this.#options.log.warn("a part of a block of figures is damaged and left out", { file, ...errorFields(error) });
    this.#damaged.add(file);
  }

  /** The open block becomes one on disk, and those that are old enough become coarser or go. */
  async #seal(): Promise<void> {
    const { times, series } = this.#open;
    const builder = new BlockBuilder({ id: this.#nextId++, level: 0, times: [...times], sources: [] });
    let added = 0;
    for (const one of [...series.values()].sort(compareSeries)) {
      builder.add(one, one.values.subarray(0, times.length));
      if (++added % atOnce === 0) await setImmediate();
    }
    try {
      this.#blocks.push(await writeBlock(this.#options.folder, builder));
    } catch (error) {
      // What comes has to be followed all the same: checks and scaling look at what is latest.
      this.#options.log.warn("half an hour of figures is given up", errorFields(error));
    }
    this.#previous = this.#open;
    this.#open = new OpenBlock(this.#limits);
    await this.#journal.clear();
    await this.#tend();
  }

  async #tend(): Promise<void> {
    const { clock, folder } = this.#options;
    if (clock.monotonicMs() < this.#heldUntilMs) return;
    const nowMs = clock.nowMs();
    for (const [level, { keptMs }] of levels.entries()) {
      const next = levels[level + 1];
      const old = this.#blocks.filter((block) => block.level === level && block.toMs < nowMs - keptMs);
      if (next === undefined) for (const block of old) await this.#drop(block);
      else
        for (const [windowMs, sources] of Map.groupBy(old, ({ fromMs }) => startOf(fromMs, next.blockMs))) {
          // The rest of the window follows.
          if (windowMs + next.blockMs > nowMs - keptMs) continue;
          const merged = await mergeBlocks(sources, { id: this.#nextId++, level: level + 1 }, (block, error) => this.#damage(block, error));
          this.#blocks.push(await writeBlock(folder, merged));
          for (const source of sources) await this.#drop(source);
        }
    }
    let diskBytes = this.state.diskBytes;
    for (const block of [...this.#blocks].sort((a, b) => a.toMs - b.toMs)) {
      if (diskBytes <= mostDiskBytes) break;
      diskBytes -= block.sizeBytes;
      this.#options.log.warn("figures are given up to keep within the disk space for them", { until_ms: block.toMs });
      await this.#drop(block);
    }
  }

  async #drop(block: Block): Promise<void> {
    this.#blocks = this.#blocks.filter((one) => one !== block);
    await rm(block.file, { force: true });
  }

  #watchClock(wallMs: number): void {
    const monotonicMs = this.#options.clock.monotonicMs();
    const before = this.#before;
    this.#before = { wallMs, monotonicMs };
    if (before === null) return;
    const leapedMs = wallMs - before.wallMs - (monotonicMs - before.monotonicMs);
    if (Math.abs(leapedMs) <= leapMs) return;
    this.#options.log.warn("the clock leaped; for an hour no figures are thrown away", { leap_ms: Math.round(leapedMs) });
    this.#hold();
  }

  #hold(): void {
    this.#heldUntilMs = this.#options.clock.monotonicMs() + heldMs;
  }
}
