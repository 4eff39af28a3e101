/**
 * The port of desired state: a revisioned key-value store after etcd's model. Two backends pass one contract (`testing/store-contract.ts`).
 *
 * Every commit gets the next revision. Reads are answered from memory, as of `revision`, which is never older than the last commit that
 * this process was told of; compare-and-swap at commit is what decides.
 */
export interface Store {
  /** Revision of the latest commit; 0 before the first. */
  readonly revision: number;
  /** Oldest revision that a watch may still start after. */
  readonly compactedRevision: number;
  /** Raised when a backup is restored, so that receivers can tell the new history from the old. */
  readonly epoch: number;
  /** Raised each time that a server opens the store; fences orders of earlier ones. */
  readonly term: number;
  /** Made once for a store: agents and edges belong to it. */
  readonly installation: string;

  get(key: string): Entry | null;
  /** Entries whose key starts with `prefix`, in byte order of the key. */
  list(prefix: string, page?: { readonly after?: string; readonly limit?: number }): readonly Entry[];
  /**
   * All or nothing: checks every condition, then writes every change, at one new revision. Resolves after it is durable (fsync).
   * Commits that arrive together share an fsync. A commit without changes only checks, and returns the current revision.
   * @throws {DroverError} CONFLICT with the failed conditions; STORAGE_FULL (nothing was written); REQUEST_INVALID, BODY_TOO_LARGE (bounds);
   * OVERLOADED (too much waits for the disk). INTERNAL when the outcome is unknown: the process is about to end.
   */
  commit(transaction: Transaction): Promise<{ readonly revision: number }>;
  /**
   * Every change of keys that start with `prefix` after revision `after`, in order, all of one revision in one batch, without gaps.
   * Ends when the signal aborts or the store is closed. Watches of one prefix share the batch objects, so what is made of one can be kept by it.
   * @throws {DroverError} at once: COMPACTED if `after` is older than what is kept, REVISION_IN_FUTURE if it does not exist yet.
   * Later, from the iterator: COMPACTED when the reader falls too far behind.
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<WatchBatch>;
  /** Forgets history up to and including `revision`. Current values stay. */
  compact(revision: number): Promise<void>;
  /** Writes a consistent copy that can be opened by itself; writes go on meanwhile. */
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}

/** Reading alone. */
export interface StoreReader {
  get(key: string): Entry | null;
  list(prefix: string): readonly Entry[];
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Number of writes since it was created, from 1. */
  readonly version: number;
}

export interface Transaction {
  readonly conditions?: readonly Condition[];
  readonly changes: readonly Change[];
  /** It is small and leads to deletions: on a full disk it goes on as they do, in the space that is kept back for them. Default false. */
  readonly leadsToDeletions?: boolean;
}

/** `modRevision` 0 means that the key must not exist. */
export interface Condition {
  readonly key: string;
  readonly modRevision: number;
}

/** A key appears at most once in a transaction. Deleting what is not there is no change. Keys: 1 to 1,024 bytes; values: up to 1 MiB. */
export type Change =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: string };

/** Without changes it is a bookmark: nothing up to its revision is still to come, so a watch that sees little can resume from there. */
export interface WatchBatch {
  readonly revision: number;
  readonly changes: readonly WatchedChange[];
}

export type WatchedChange =
  | { readonly kind: "put"; readonly entry: Entry; readonly previous: Entry | null }
  | { readonly kind: "delete"; readonly key: string; readonly modRevision: number; readonly previous: Entry };
