import { revisionOf } from "./journal.ts";
import { Keyspace } from "./keyspace.ts";
import type { Entry, StoreReader } from "./store.ts";
import type { Verified } from "./verify.ts";

/** What a store held at its latest revision, without the store. */
export interface StoreContents extends StoreReader {
  readonly revision: number;
}

export function contentsOf({ rows, revision }: Verified): StoreContents {
  const keyspace = new Keyspace();
  for (const { place, key, value, createRevision, version } of rows) {
    const entry = value === null ? null : ({ key, value, createRevision, modRevision: revisionOf(place), version } satisfies Entry);
    if (entry !== null) keyspace.put({ entry, place });
    else keyspace.delete(key);
  }
  return {
    revision,
    get: (key) => keyspace.get(key)?.entry ?? null,
    list: (prefix) => keyspace.list(prefix, prefix, Number.POSITIVE_INFINITY),
  };
}
