import { DroverError } from "#model/errors.ts";
import { ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { put, unchanged } from "../objects/objects.ts";
import type { Condition, Store } from "../store/store.ts";

/**
 * The one server that runs escalations: the one that started last, because its term is the highest. Every commit of a run has its condition, so a
 * server that was followed by another writes nothing more, whatever it still believes.
 */
export interface Leadership {
  readonly term: number;
  /** Part of every commit that decides something. */
  readonly condition: Condition;
  /** False once another server leads. */
  holds(): boolean;
}

/** @throws {DroverError} CONFLICT if a server with a higher term leads. */
export async function takeLead(store: Store): Promise<Leadership> {
  const { term } = store;
  for (;;) {
    const before = ladderObjects.leader(store);
    if (before !== null && before.value.term > term)
      throw new DroverError("CONFLICT", `a server of term ${before.value.term} runs escalations; this one is of term ${term}`);
    if (before !== null && before.value.term === term) return leadershipOf(store, before.modRevision);
    try {
      const { revision } = await store.commit({
        conditions: [unchanged(ladderKeys.leader, before)],
        changes: [put(ladderKeys.leader, { term })],
      });
      return leadershipOf(store, revision);
    } catch (error) {
      if (!(error instanceof DroverError && error.code === "CONFLICT")) throw error;
    }
  }
}

function leadershipOf(store: Store, modRevision: number): Leadership {
  return {
    term: store.term,
    condition: { key: ladderKeys.leader, modRevision },
    holds: () => ladderObjects.leader(store)?.modRevision === modRevision,
  };
}
