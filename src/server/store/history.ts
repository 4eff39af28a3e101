import type { WatchBatch } from "./store.ts";

export interface Retention {
  /** Revisions that are kept for watches that resume. */
  readonly revisions: number;
  /** Bytes of keys and values in the kept revisions, on disk. */
  readonly bytes: number;
  /** Of these, bytes that are also kept in memory, so that watches that are nearly up to date need no disk. */
  readonly memoryBytes: number;
}

export const defaultRetention: Retention = {
  // A watch that was away for a minute of steady change resumes; one that was away for longer lists again.
  revisions: 20_000,
  bytes: 64 * 1024 * 1024,
  memoryBytes: 8 * 1024 * 1024,
};

/** Smallest step of automatic compaction: each step writes the compacted revision once, so larger steps cost less for each revision. */
const compactionStep = 256;
/** What the bookkeeping of a change takes, roughly, in bytes. */
const changeOverhead = 128;

/** The window of revisions that watches can read: which are kept, how large they are, and the newest of them in memory. */
export class History {
  readonly #retention: Retention;
  /** Sizes of the revisions after `#compacted`, from `#sizesHead` on. */
  #sizes: number[] = [];
  #sizesHead = 0;
  /** The newest batches, from `#batchesHead` on; the last one is of `#revision`. */
  #batches: (WatchBatch | undefined)[] = [];
  #batchesHead = 0;
  #bytes = 0;
  #memoryBytes = 0;
  #revision: number;
  #compacted: number;

  constructor(revision: number, retention: Retention) {
    this.#revision = revision;
    this.#compacted = revision;
    this.#retention = retention;
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  /** `batch` must be of the next revision. */
  add(batch: WatchBatch): void {
    if (batch.revision !== this.#revision + 1) throw new Error(`revision ${batch.revision} does not follow ${this.#revision}`);
    this.#revision = batch.revision;
    const size = sizeOf(batch);
    this.#sizes.push(size);
    this.#batches.push(batch);
    this.#bytes += size;
    this.#memoryBytes += size;
    // The newest batch always stays in memory: watches that keep up read it there.
    while (this.#memoryBytes > this.#retention.memoryBytes && this.#batches.length - this.#batchesHead > 1) this.#dropOldestBatch();
  }

  /** The batch of `revision`; null if it is no longer in memory. */
  batch(revision: number): WatchBatch | null {
    const index = this.#batches.length - 1 - (this.#revision - revision);
    return index < this.#batchesHead ? null : (this.#batches[index] ?? null);
  }

  /** Revision that the next write should compact to, in steps that keep up with writes of `added` revisions each; null if none is due. */
  dueCompaction(added: number): number | null {
    const kept = this.#revision - this.#compacted;
    const isOver = kept >= this.#retention.revisions + compactionStep || (this.#bytes > this.#retention.bytes && kept > 1);
    if (!isOver) return null;
    return Math.min(this.#compacted + Math.max(compactionStep, 2 * added), this.#revision - 1);
  }

  compacted(to: number): void {
    for (; this.#compacted < to; this.#compacted++) {
      this.#bytes -= this.#sizes[this.#sizesHead++] ?? 0;
      if (this.#batches.length - this.#batchesHead > this.#revision - this.#compacted - 1) this.#dropOldestBatch();
    }
    if (this.#sizesHead > 4_096 && this.#sizesHead > this.#sizes.length / 2) {
      this.#sizes = this.#sizes.slice(this.#sizesHead);
      this.#sizesHead = 0;
    }
  }

  #dropOldestBatch(): void {
    const oldest = this.#batches[this.#batchesHead];
    if (oldest === undefined) return;
    this.#memoryBytes -= sizeOf(oldest);
    this.#batches[this.#batchesHead++] = undefined;
    if (this.#batchesHead > 1_024 && this.#batchesHead > this.#batches.length / 2) {
      this.#batches = this.#batches.slice(this.#batchesHead);
      this.#batchesHead = 0;
    }
  }
}

function sizeOf(batch: WatchBatch): number {
  let bytes = 0;
  for (const change of batch.changes) {
    if (change.kind === "put") bytes += change.entry.key.length + change.entry.value.byteLength + changeOverhead;
    else bytes += change.key.length + changeOverhead;
  }
  return bytes;
}
