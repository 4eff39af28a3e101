/**
 * Where the store keeps what it must not forget: the port between the rules (`core.ts`) and a backend. Everything that can fail on a disk is
 * behind it, so a test can fail each step of it.
 *
 * It keeps versions, not values: each change is a row, and the newest row of a key is its value. The log and the current values are one.
 */
export interface Journal {
  readonly epoch: number;
  readonly term: number;
  readonly installation: string;
  /** History up to and including this revision is forgotten. */
  readonly compactedRevision: number;

  /** Every row, in order of place. Read once, at the start. @throws {DroverError} STORE_DAMAGED */
  load(): Iterable<VersionRow>;
  /**
   * Adds rows and forgets history up to `compactTo` (null: forget nothing), all or nothing; durable when it resolves.
   * `usesReserve` allows it to use the space that is kept back for deletions.
   * @throws {DroverError} STORAGE_FULL if nothing was written. Any other error means that nobody knows what was written.
   */
  append(rows: readonly VersionRow[], options: { readonly compactTo: number | null; readonly usesReserve: boolean }): Promise<void>;
  /** Rows with `firstPlace` <= place < `endPlace`, each with the row that it replaced. */
  read(firstPlace: number, endPlace: number): Promise<readonly { readonly row: VersionRow; readonly previous: VersionRow | null }[]>;
  /** Writes a copy that can be opened by itself; `file` appears when it is complete and durable. */
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}

/** One version of a key. */
export interface VersionRow {
  /** `revision * changesPerCommit + ordinal`: one number that orders all changes, and from which the revision can be told. */
  readonly place: number;
  readonly key: string;
  /** null if this change deleted the key. */
  readonly value: Uint8Array | null;
  readonly createRevision: number;
  readonly version: number;
  /** Place of the version that it replaced; 0 if there was none. */
  readonly previousPlace: number;
}

/** Most changes in one transaction. Leaves 2^39 revisions, which at 50,000 a second are used up after four months of nothing else. */
export const changesPerCommit = 16_384;

export function placeOf(revision: number, ordinal: number): number {
  return revision * changesPerCommit + ordinal;
}

export function revisionOf(place: number): number {
  return Math.floor(place / changesPerCommit);
}
