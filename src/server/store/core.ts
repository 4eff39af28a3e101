import { failpoint } from "#host/failpoint.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { defaultRetention, History, type Retention } from "./history.ts";
import { type Journal, placeOf, revisionOf, type VersionRow } from "./journal.ts";
import { Keyspace, type Slot } from "./keyspace.ts";
import type { Condition, Store, Transaction, WatchBatch, WatchedChange } from "./store.ts";
import { checkTransaction, sizeOfTransaction } from "./transaction.ts";
import { Watches } from "./watches.ts";

/** Commits that share one write: some 256 of 1 kB take 2 ms, so the loop is not held for longer than 5 ms. */
const commitsPerWrite = 256;
/** Bytes that share one write, for the same reason. One larger commit is written by itself. */
const bytesPerWrite = 1024 * 1024;
/** Commits that may wait for their write, and their bytes: more would only wait longer, and their memory is not free. */
const mostWaitingCommits = 16_384;
const mostWaitingBytes = 64 * 1024 * 1024;
/** Revisions that an explicit compaction forgets in one write. */
const compactionSlice = 512;

export interface CoreOptions {
  readonly journal: Journal;
  /** Called once when nobody can know what is on the disk: the process must end, and its next start reads what is there. */
  readonly fatal: (error: unknown) => void;
  readonly retention?: Retention;
  /** Runs work in a later turn of the loop. */
  readonly defer?: (work: () => void) => void;
}

interface Waiting {
  readonly transaction: Transaction;
  readonly bytes: number;
  readonly resolve: (committed: { readonly revision: number }) => void;
  readonly reject: (error: unknown) => void;
}

interface Compaction {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What one write does, decided before it is done. */
interface Write {
  readonly rows: VersionRow[];
  readonly batches: WatchBatch[];
  /** New slots by key; null where the key is deleted. */
  readonly slots: Map<string, Slot | null>;
  /** What each commit will be told once the write is durable. */
  readonly answers: (() => void)[];
}

/**
 * The rules of the store over any journal: everything is in memory, commits are judged one after the other and written together, and memory
 * changes only after the journal says that it is durable.
 */
export function createStore({ journal, fatal, retention = defaultRetention, defer = setImmediate }: CoreOptions): Store {
  const keyspace = new Keyspace();
  const history = new History(journal.compactedRevision, retention);
  replay(journal, keyspace, history);
  const watches = new Watches({ history, readLog, defer, bookmarkEvery: Math.max(1, Math.floor(retention.revisions / 4)) });

  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  /** The running writer; null when nothing waits. */
  let writer: Promise<void> | null = null;
  let closing: Promise<void> | null = null;
  let failure: unknown = null;
  /** Explicit compactions that are under way. */
  let compactions: Compaction[] = [];
  let backups: Promise<void> = Promise.resolve();

  const turn = () => new Promise<void>((resolve) => defer(resolve));

  function refuseIfEnded(): void {
    if (failure !== null) {
      throw new DroverError("INTERNAL", "the store stopped after a write whose outcome is unknown", {
        cause: failure,
        hint: "The server ends and starts again by itself; its log names the cause.",
      });
    }
    if (closing !== null)
      throw new DroverError("SERVER_UNREACHABLE", "the store is closed", { hint: "Try again when the server is back." });
  }

  function die(error: unknown, commits: readonly Waiting[]): void {
    failure = error;
    rejectAll([...commits, ...compactions.splice(0)], error);
    watches.end();
    fatal(error);
  }

  async function commit(transaction: Transaction): Promise<{ readonly revision: number }> {
    refuseIfEnded();
    checkTransaction(transaction);
    const bytes = sizeOfTransaction(transaction);
    if (waiting.length >= mostWaitingCommits || waitingBytes + bytes > mostWaitingBytes) {
      throw new DroverError("OVERLOADED", `${waiting.length} commits are waiting for the disk already`, { hint: "Try again in a moment." });
    }
    return new Promise((resolve, reject) => {
      waiting.push({ transaction, bytes, resolve, reject });
      waitingBytes += bytes;
      writer ??= writeAll();
    });
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0 || compactions.length > 0) {
      // Everything that arrives in this turn of the loop shares the write.
      await turn();
      await write(takeBatch());
    }
    writer = null;
  }

  function takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: more } of waiting) {
      if (count > 0 && (count >= commitsPerWrite || bytes + more > bytesPerWrite)) break;
      count++;
      bytes += more;
    }
    waitingBytes -= bytes;
    return waiting.splice(0, count);
  }

  async function write(commits: readonly Waiting[], usesReserve = commits.length === 0): Promise<void> {
    if (failure !== null) return rejectAll([...commits, ...compactions.splice(0)], failure);
    const { rows, batches, slots, answers } = judge(commits);
    const compactTo = dueCompaction(batches.length);
    try {
      if (rows.length > 0 || compactTo !== null) {
        failpoint("store.commit.before");
        await journal.append(rows, { compactTo, usesReserve });
        failpoint("store.commit.after");
      }
    } catch (error) {
      return hasCode(error, "STORAGE_FULL") ? goOnWithoutRoom(commits, usesReserve, error) : die(error, commits);
    }
    for (const [key, slot] of slots) {
      if (slot === null) keyspace.delete(key);
      else keyspace.put(slot);
    }
    for (const batch of batches) history.add(batch);
    if (compactTo !== null) history.compacted(compactTo);
    for (const answer of answers) answer();
    compactions = compactions.filter(({ revision, resolve }) => revision > history.compactedRevision || resolve());
    for (const batch of batches) watches.publish(batch);
  }

  /**
   * On a full disk all history is forgotten first, which may make the room that is needed. Then only deletions go on, by themselves, in the
   * space that is kept back for them.
   */
  async function goOnWithoutRoom(commits: readonly Waiting[], usesReserve: boolean, error: unknown): Promise<void> {
    if (usesReserve) return rejectAll([...commits, ...compactions.splice(0)], error);
    if (history.compactedRevision < history.revision && (await forgetHistory())) return write(commits);
    const isDeletion = ({ transaction: { changes, leadsToDeletions } }: Waiting) =>
      leadsToDeletions === true || changes.every(({ kind }) => kind === "delete");
    rejectAll(
      commits.filter((one) => !isDeletion(one)),
      error,
    );
    const deletions = commits.filter(isDeletion);
    if (deletions.length > 0) await write(deletions, true);
  }

  /** False if there was no room even for that. */
  async function forgetHistory(): Promise<boolean> {
    compactions.push({ revision: history.revision, resolve: () => {}, reject: () => {} });
    while (compactions.length > 0) {
      await turn();
      await write([]);
    }
    return history.compactedRevision === history.revision;
  }

  function dueCompaction(added: number): number | null {
    const wanted = compactions.reduce((most, { revision }) => Math.max(most, revision), 0);
    if (wanted > history.compactedRevision) return Math.min(history.compactedRevision + compactionSlice, wanted);
    return history.dueCompaction(added);
  }

  function judge(commits: readonly Waiting[]): Write {
    const write: Write = { rows: [], batches: [], slots: new Map(), answers: [] };
    let revision = history.revision;
    for (const { transaction, resolve, reject } of commits) {
      const current = (key: string) => (write.slots.has(key) ? (write.slots.get(key) ?? null) : keyspace.get(key));
      const failed = failedConditions(transaction.conditions ?? [], current);
      if (failed !== null) {
        write.answers.push(() => reject(failed));
        continue;
      }
      const changes = apply(transaction, revision + 1, current, write);
      if (changes.length > 0) write.batches.push({ revision: ++revision, changes });
      const committed = { revision };
      write.answers.push(() => resolve(committed));
    }
    return write;
  }

  /** Batches of `after` < revision <= `upTo` from the journal. */
  async function readLog(after: number, upTo: number): Promise<readonly WatchBatch[]> {
    const batches: { revision: number; changes: WatchedChange[] }[] = [];
    for (const { row, previous } of await journal.read(placeOf(after + 1, 0), placeOf(upTo + 1, 0))) {
      const revision = revisionOf(row.place);
      let batch = batches.at(-1);
      if (batch?.revision !== revision) batches.push((batch = { revision, changes: [] }));
      batch.changes.push(watchedChange(row, previous === null ? null : slotOf(previous)));
    }
    return batches;
  }

  async function compact(revision: number): Promise<void> {
    refuseIfEnded();
    watches.check(Math.max(revision, history.compactedRevision));
    if (revision <= history.compactedRevision) return;
    await new Promise<void>((resolve, reject) => {
      compactions.push({ revision, resolve, reject });
      writer ??= writeAll();
    });
  }

  async function close(): Promise<void> {
    watches.end();
    while (writer !== null) await writer;
    await backups;
    await journal.close();
  }

  return {
    get revision() {
      return history.revision;
    },
    get compactedRevision() {
      return history.compactedRevision;
    },
    epoch: journal.epoch,
    term: journal.term,
    installation: journal.installation,
    get: (key) => keyspace.get(key)?.entry ?? null,
    list: (prefix, { after, limit = Number.POSITIVE_INFINITY } = {}) =>
      // The smallest string after `after` in byte order is `after` and a NUL.
      keyspace.list(prefix, after === undefined ? prefix : `${after}\0`, limit),
    commit,
    watch(prefix, after, signal) {
      refuseIfEnded();
      watches.check(after);
      return watches.watch(prefix, after, signal);
    },
    compact,
    async backup(file) {
      refuseIfEnded();
      const mine = backups.then(() => journal.backup(file));
      backups = mine.catch(() => {}); // Whoever asked for it gets the error; the next backup only waits for its end.
      await mine;
    },
    async close() {
      closing ??= close();
      await closing;
    },
  };
}

function rejectAll(callers: readonly { readonly reject: (error: unknown) => void }[], error: unknown): void {
  for (const { reject } of callers) reject(error);
}

function failedConditions(conditions: readonly Condition[], current: (key: string) => Slot | null): DroverError | null {
  const failed = conditions
    .map(({ key, modRevision }) => ({ key, wanted: modRevision, current: current(key)?.entry.modRevision ?? 0 }))
    .filter(({ wanted, current }) => wanted !== current);
  const [first] = failed;
  if (first === undefined) return null;
  const state = first.current === 0 ? "does not exist" : `is at revision ${first.current}`;
  return new DroverError(
    "CONFLICT",
    `key "${first.key}" ${state}, and the change was made for ${first.wanted === 0 ? "none" : `revision ${first.wanted}`}`,
    {
      hint: "Read it again and repeat the change on what is there now.",
      details: { failed },
    },
  );
}

/** Adds what `transaction` does at `revision` to `write`, and returns it as watchers will see it. */
function apply(transaction: Transaction, revision: number, current: (key: string) => Slot | null, write: Write): readonly WatchedChange[] {
  const changes: WatchedChange[] = [];
  for (const change of transaction.changes) {
    const previous = current(change.key);
    if (change.kind === "delete" && previous === null) continue;
    const row: VersionRow = {
      place: placeOf(revision, changes.length),
      key: change.key,
      // A copy: the caller's buffer may change, or be a small part of a large one that it would keep alive.
      value: change.kind === "put" ? new Uint8Array(change.value) : null,
      createRevision: previous?.entry.createRevision ?? revision,
      version: (previous?.entry.version ?? 0) + 1,
      previousPlace: previous?.place ?? 0,
    };
    write.rows.push(row);
    write.slots.set(change.key, row.value === null ? null : slotOf(row));
    changes.push(watchedChange(row, previous, write.slots.get(change.key) ?? null));
  }
  return changes;
}

function slotOf(row: VersionRow): Slot {
  if (row.value === null) throw new Error(`place ${row.place} holds a deletion of "${row.key}", not a value`);
  const { key, value, createRevision, version } = row;
  return { entry: { key, value, createRevision, modRevision: revisionOf(row.place), version }, place: row.place };
}

function watchedChange(row: VersionRow, previous: Slot | null, slot: Slot | null = row.value === null ? null : slotOf(row)): WatchedChange {
  if (slot !== null) return { kind: "put", entry: slot.entry, previous: previous?.entry ?? null };
  if (previous === null) throw new Error(`place ${row.place} deletes "${row.key}", which was not there`);
  return { kind: "delete", key: row.key, modRevision: revisionOf(row.place), previous: previous.entry };
}

/** Builds memory from the journal. */
function replay(journal: Journal, keyspace: Keyspace, history: History): void {
  let revision = journal.compactedRevision;
  let changes: WatchedChange[] = [];
  const endRevision = () => {
    if (changes.length > 0) history.add({ revision, changes });
    changes = [];
  };
  for (const row of journal.load()) {
    const own = revisionOf(row.place);
    const slot = row.value === null ? null : slotOf(row);
    if (own > revision) {
      endRevision();
      revision = own;
    }
    if (own > journal.compactedRevision) changes.push(watchedChange(row, keyspace.get(row.key), slot));
    if (slot === null) keyspace.delete(row.key);
    else keyspace.put(slot);
  }
  endRevision();
}
