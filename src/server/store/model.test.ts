import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareKeys, Keyspace } from "./keyspace.ts";
import { createMemoryJournal } from "./memory-journal.ts";
import { openMemoryStore } from "./memory-store.ts";
import type { Store, Transaction, WatchBatch } from "./store.ts";
import { openIn, temporaryFolder } from "./testing/temporary-store.ts";

/** Few keys, so that they meet; some that UTF-16 and UTF-8 order differently. */
const key = fc.constantFrom("/a", "/a/1", "/a/2", "/b", "/\u{ff61}", "/\u{1f600}");
const change = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key, value: fc.uint8Array({ maxLength: 3 }) }),
  fc.record({ kind: fc.constant("delete" as const), key }),
);
const transaction: fc.Arbitrary<Transaction> = fc.record({
  conditions: fc.uniqueArray(fc.record({ key, modRevision: fc.integer({ min: 0, max: 12 }) }), {
    maxLength: 1,
    selector: (one) => one.key,
  }),
  changes: fc.uniqueArray(change, { maxLength: 3, selector: (one) => one.key }),
});
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("commit" as const), together: fc.array(transaction, { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" as const }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Known {
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/** The store in its simplest form: no time, no disk, no batches. */
class Model {
  readonly live = new Map<string, Known>();
  /** What each revision left behind: the whole state after it, by key. */
  readonly states = new Map<number, ReadonlyMap<string, Known>>([[0, new Map()]]);
  revision = 0;
  compacted = 0;

  /** The revision of the commit; null for a conflict. */
  commit({ conditions = [], changes }: Transaction): number | null {
    if (conditions.some(({ key, modRevision }) => (this.live.get(key)?.modRevision ?? 0) !== modRevision)) return null;
    const real = changes.filter((one) => one.kind === "put" || this.live.has(one.key));
    if (real.length === 0) return this.revision;
    this.revision++;
    for (const one of real) {
      const before = this.live.get(one.key);
      if (one.kind === "delete") this.live.delete(one.key);
      else {
        const { createRevision = this.revision, version = 0 } = before ?? {};
        this.live.set(one.key, { value: one.value, createRevision, modRevision: this.revision, version: version + 1 });
      }
    }
    this.states.set(this.revision, new Map(this.live));
    return this.revision;
  }
}

async function watched(store: Store, after: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  if (after === store.revision) return batches;
  for await (const batch of store.watch("", after, new AbortController().signal)) {
    if (batch.changes.length > 0) batches.push(batch);
    if (batch.revision >= store.revision) break;
  }
  return batches;
}

/** Replays what a watch gave over the state that it began from. */
function replay(from: ReadonlyMap<string, Known>, batches: readonly WatchBatch[]): Map<string, Known> {
  const state = new Map(from);
  for (const { changes } of batches) {
    for (const one of changes) {
      const key = one.kind === "put" ? one.entry.key : one.key;
      const { key: _, ...previous } = one.previous ?? { key };
      assert.deepEqual(one.previous === null ? undefined : previous, state.get(key), `the value of ${key} before`);
      if (one.kind === "delete") state.delete(key);
      else {
        const { key: _, ...known } = one.entry;
        state.set(key, known);
      }
    }
  }
  return state;
}

async function agree(store: Store, model: Model): Promise<void> {
  assert.deepEqual([store.revision, store.compactedRevision], [model.revision, model.compacted]);
  const expected = [...model.live]
    .map(([key, known]) => ({ key, ...known }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  assert.deepEqual(store.list(""), expected);
  for (const after of new Set([model.compacted, Math.floor((model.compacted + model.revision) / 2)])) {
    const from = model.states.get(after) ?? assert.fail(`no state ${after}`);
    assert.deepEqual(replay(from, await watched(store, after)), model.live);
  }
}

async function follow(steps: readonly Step[], opened: Store, reopen: () => Promise<Store>): Promise<void> {
  const model = new Model();
  let store = opened;
  try {
    for (const one of steps) {
      if (one.do === "commit") {
        const results = await Promise.allSettled(one.together.map((transaction) => store.commit(transaction)));
        const outcomes = results.map((result) => (result.status === "fulfilled" ? result.value.revision : null));
        assert.deepEqual(
          outcomes,
          one.together.map((transaction) => model.commit(transaction)),
        );
      } else if (one.do === "compact") {
        model.compacted = Math.max(model.compacted, Math.floor(one.share * model.revision));
        await store.compact(model.compacted);
      } else {
        await store.close();
        store = await reopen();
      }
      await agree(store, model);
    }
  } finally {
    await store.close();
  }
}

test("over any history the store in memory does what its simplest model does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      let journal = createMemoryJournal(() => 0.5);
      await follow(steps, openMemoryStore({ random: () => 0.5, journal }), async () => {
        journal = journal.reopened();
        return openMemoryStore({ random: () => 0.5, journal });
      });
    }),
    { numRuns: 150 },
  );
});

test("over any history the store on disk does what its simplest model does", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const folder = await temporaryFolder(t);
      await follow(steps, await openIn(folder), () => openIn(folder));
    }),
    { numRuns: 40 },
  );
});

test("the keyspace lists any keys in byte order, from any key on, whatever came and went", () => {
  const text = fc.string({ unit: "binary", maxLength: 4 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), fc.array(text, { maxLength: 20 }), text, text, (added, removed, prefix, from) => {
      const keyspace = new Keyspace();
      for (const key of added)
        keyspace.put({ place: 1, entry: { key, value: new Uint8Array(), createRevision: 1, modRevision: 1, version: 1 } });
      for (const key of removed) keyspace.delete(key);
      const expected = [...new Set(added)]
        .filter((key) => !removed.includes(key) && key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(from)) >= 0)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(
        keyspace.list(prefix, from, Number.POSITIVE_INFINITY).map(({ key }) => key),
        expected,
      );
    }),
  );
});

test("a hundred thousand keys in random order stay sorted, and half of them can go", () => {
  const keyspace = new Keyspace();
  const keys = Array.from({ length: 100_000 }, (_, n) => `/apps/${((n * 7_919) % 100_000).toString().padStart(6, "0")}`);
  for (const key of keys)
    keyspace.put({ place: 1, entry: { key, value: new Uint8Array(), createRevision: 1, modRevision: 1, version: 1 } });
  for (const key of keys.slice(0, 50_000)) keyspace.delete(key);
  const listed = keyspace.list("/apps/", "", Number.POSITIVE_INFINITY).map(({ key }) => key);
  assert.deepEqual(listed, keys.slice(50_000).sort(compareKeys));
  assert.equal(keyspace.size, 50_000);
});
