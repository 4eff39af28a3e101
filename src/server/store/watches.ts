import { DroverError } from "#model/errors.ts";
import { WakeQueue } from "../wake-queue.ts";
import type { History } from "./history.ts";
import type { WatchBatch, WatchedChange } from "./store.ts";

/** Revisions that a watch looks through in one turn when it catches up in memory: well under a millisecond. */
const revisionsPerTurn = 1_000;
/** Revisions that a watch reads from disk at once when it catches up: at most some tens of megabytes of the largest values. */
const revisionsPerRead = 64;

interface Watch {
  readonly prefix: string;
  /** Everything up to this revision was looked at. Only moved while `isBehind`; a watch that is not behind is at the newest. */
  cursor: number;
  isBehind: boolean;
  wake: (() => void) | null;
  isWaking: boolean;
}

/**
 * All watches of a store. A watch holds no queue, only a cursor into the history that all share: one that reads slowly costs nothing, and
 * when history has moved past its cursor it gets COMPACTED. Commits mark the watches whose prefix they touch and wake them in slices.
 */
export class Watches {
  readonly #history: History;
  readonly #readLog: (after: number, upTo: number) => Promise<readonly WatchBatch[]>;
  readonly #defer: (work: () => void) => void;
  /** Every this many revisions, watches that saw nothing are told where they are, so that they can resume from there. */
  readonly #bookmarkEvery: number;
  readonly #byPrefix = new Map<string, Set<Watch>>();
  /** Lengths of the prefixes in use with their counts: a commit looks up its keys' beginnings of these lengths only. */
  readonly #lengths = new Map<number, number>();
  readonly #wakes: WakeQueue;
  #ended = false;

  constructor(options: {
    readonly history: History;
    /** Batches of `after` < revision <= `upTo`, from the journal. */
    readonly readLog: (after: number, upTo: number) => Promise<readonly WatchBatch[]>;
    readonly defer: (work: () => void) => void;
    readonly bookmarkEvery: number;
  }) {
    this.#history = options.history;
    this.#readLog = options.readLog;
    this.#defer = options.defer;
    this.#wakes = new WakeQueue(options.defer);
    this.#bookmarkEvery = options.bookmarkEvery;
  }

  /** Marks and wakes the watches that `batch`, which is in the history by now, concerns. */
  publish(batch: WatchBatch): void {
    if (this.#byPrefix.size === 0) return;
    for (const change of batch.changes) {
      const key = keyOf(change);
      for (const length of this.#lengths.keys()) {
        if (length > key.length) continue;
        const watches = this.#byPrefix.get(length === key.length ? key : key.slice(0, length));
        if (watches !== undefined) for (const watch of watches) this.#mark(watch, batch.revision);
      }
    }
    if (batch.revision % this.#bookmarkEvery !== 0) return;
    for (const watches of this.#byPrefix.values()) for (const watch of watches) this.#mark(watch, batch.revision);
  }

  /** Ends every watch. */
  end(): void {
    this.#ended = true;
    for (const watches of this.#byPrefix.values()) for (const watch of watches) watch.wake?.();
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncGenerator<WatchBatch, void, undefined> {
    const watch: Watch = { prefix, cursor: after, isBehind: true, wake: null, isWaking: false };
    const stop = () => watch.wake?.();
    signal.addEventListener("abort", stop);
    this.#register(watch);
    try {
      while (!signal.aborted && !this.#ended) {
        if (!watch.isBehind) {
          await this.#woken(watch, signal);
          continue;
        }
        for (const batch of await this.#nextBatches(watch)) {
          if (signal.aborted || this.#ended) return;
          yield batch;
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#unregister(watch);
    }
  }

  /** @throws {DroverError} COMPACTED if history begins after `after`; REVISION_IN_FUTURE if it ends before. */
  check(after: number): void {
    const { compactedRevision: compacted, revision } = this.#history;
    if (after < compacted) {
      throw new DroverError(
        "COMPACTED",
        `history up to revision ${compacted} is no longer kept, and the watch asks for what came after ${after}`,
        {
          hint: "List again and watch from the revision of that list.",
          details: { after, compactedRevision: compacted, revision },
        },
      );
    }
    if (after > revision || !Number.isSafeInteger(after)) {
      throw new DroverError("REVISION_IN_FUTURE", `the watch asks for what came after revision ${after}, and the latest is ${revision}`, {
        hint: "Watch from a revision that this store gave.",
        details: { after, revision },
      });
    }
  }

  /** Moves the cursor on and returns what is there for the watch: nothing, one batch from memory, or some from the log. */
  async #nextBatches(watch: Watch): Promise<readonly WatchBatch[]> {
    const { prefix } = watch;
    this.check(watch.cursor);
    const lastOfTurn = Math.min(this.#history.revision, watch.cursor + revisionsPerTurn);
    while (watch.cursor < lastOfTurn) {
      const batch = this.#history.batch(watch.cursor + 1);
      if (batch === null) {
        const upTo = Math.min(this.#history.revision, watch.cursor + revisionsPerRead);
        const read = await this.#readLog(watch.cursor, upTo);
        // A compaction may have come between; what was read is then not all there was.
        this.check(watch.cursor);
        watch.cursor = upTo;
        return read.map((batch) => matching(batch, prefix)).filter((batch) => batch !== null);
      }
      watch.cursor++;
      const found = matching(batch, prefix);
      if (found !== null) return [found];
      if (watch.cursor % this.#bookmarkEvery === 0) return [{ revision: watch.cursor, changes: [] }];
    }
    if (watch.cursor === this.#history.revision) watch.isBehind = false;
    else await new Promise<void>((resolve) => this.#defer(resolve));
    return [];
  }

  async #woken(watch: Watch, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      watch.wake = resolve;
      if (signal.aborted || this.#ended) resolve();
    });
    watch.wake = null;
  }

  #mark(watch: Watch, revision: number): void {
    if (watch.isBehind) return;
    watch.isBehind = true;
    watch.cursor = revision - 1;
    if (watch.isWaking || watch.wake === null) return;
    watch.isWaking = true;
    this.#wakes.add(() => {
      watch.isWaking = false;
      watch.wake?.();
    });
  }

  #register(watch: Watch): void {
    let watches = this.#byPrefix.get(watch.prefix);
    if (watches === undefined) {
      watches = new Set();
      this.#byPrefix.set(watch.prefix, watches);
      this.#lengths.set(watch.prefix.length, (this.#lengths.get(watch.prefix.length) ?? 0) + 1);
    }
    watches.add(watch);
  }

  #unregister(watch: Watch): void {
    const watches = this.#byPrefix.get(watch.prefix);
    if (!watches?.delete(watch) || watches.size > 0) return;
    this.#byPrefix.delete(watch.prefix);
    const others = (this.#lengths.get(watch.prefix.length) ?? 1) - 1;
    if (others === 0) this.#lengths.delete(watch.prefix.length);
    else this.#lengths.set(watch.prefix.length, others);
  }
}

/** What of `batch` concerns `prefix`: the batch itself if all of it does (so that watchers can share what they make of it), null if nothing. */
function matching(batch: WatchBatch, prefix: string): WatchBatch | null {
  const changes = batch.changes.filter((change) => keyOf(change).startsWith(prefix));
  if (changes.length === 0) return null;
  return changes.length === batch.changes.length ? batch : { revision: batch.revision, changes };
}

function keyOf(change: WatchedChange): string {
  return change.kind === "put" ? change.entry.key : change.key;
}
