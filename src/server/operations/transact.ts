import { DroverError } from "#model/errors.ts";
import type { Change, Condition, Store } from "../store/store.ts";
import type { Receipt } from "./receipt.ts";

/** Attempts before a conflict is the caller's to hear of: each lost one means that somebody else got through. */
const attempts = 10;

export interface Draft<T> {
  readonly answer: T;
  readonly conditions: readonly Condition[];
  readonly changes: readonly Change[];
  /** As of a transaction. */
  readonly leadsToDeletions?: boolean;
}

/**
 * One operation as one commit: `draft` reads the store and says what to write and under which conditions; when somebody else wrote first it
 * is asked again. A draft without changes commits nothing. `draft` is synchronous, so it sees one revision throughout.
 * @throws {DroverError} CONFLICT after ten lost attempts; whatever `draft` and the store throw.
 */
export async function transact<T extends object>(
  store: Store,
  receipt: Receipt | null,
  draft: () => Draft<T>,
): Promise<T & { readonly revision: number }> {
  for (let attempt = 1; ; attempt++) {
    const { answer, conditions, changes, leadsToDeletions = false } = draft();
    const kept = receipt?.keep(answer);
    if (changes.length === 0 && kept === undefined) return { ...answer, revision: store.revision };
    try {
      const { revision } = await store.commit({
        conditions: kept === undefined ? conditions : [...conditions, kept.condition],
        changes: kept === undefined ? changes : [...changes, kept.change],
        leadsToDeletions,
      });
      return { ...answer, revision };
    } catch (error) {
      if (!(error instanceof DroverError && error.code === "CONFLICT") || attempt === attempts) throw error;
    }
  }
}
