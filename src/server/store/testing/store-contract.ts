import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Retention } from "../history.ts";
import type { Store, Transaction, WatchBatch, WatchedChange } from "../store.ts";

/** A backend under test. `open` gives a store that is closed when the test ends; `reopen` closes it and opens what it left. */
export interface Backend {
  open(context: TestContext, options?: { readonly retention?: Retention }): Promise<OpenStore>;
}

export interface OpenStore {
  readonly store: Store;
  reopen(): Promise<OpenStore>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => (value === undefined ? undefined : new TextDecoder().decode(value));
const puts = (...pairs: readonly (readonly [string, string])[]): Transaction => ({
  changes: pairs.map(([key, value]) => ({ kind: "put", key, value: bytes(value) })),
});
const deletes = (...keys: readonly string[]): Transaction => ({ changes: keys.map((key) => ({ kind: "delete", key })) });

/** A change in few words: `put /a=1 (was 0)`. */
function words(change: WatchedChange): string {
  const before = change.previous === null ? "" : ` (was ${text(change.previous.value)})`;
  return change.kind === "put" ? `put ${change.entry.key}=${text(change.entry.value)}${before}` : `delete ${change.key}${before}`;
}

async function take(watch: AsyncIterable<WatchBatch>, count: number): Promise<WatchBatch[]> {
  const taken: WatchBatch[] = [];
  if (count === 0) return taken;
  for await (const batch of watch) if (batch.changes.length > 0 && taken.push(batch) === count) break;
  return taken;
}

async function putMany(store: Store, count: number, key = (n: number) => `/k/${n % 7}`): Promise<void> {
  for (let n = 0; n < count; n++) await store.commit(puts([key(n), `${n}`]));
}

/** What every backend of the store must do. */
export function storeContract(name: string, backend: Backend): void {
  const check = (sentence: string, body: (store: Store, context: TestContext, opened: OpenStore) => Promise<void>, retention?: Retention) =>
    test(`${name}: ${sentence}`, async (t) => {
      const opened = await backend.open(t, retention === undefined ? {} : { retention });
      await body(opened.store, t, opened);
    });

  check("a new store is empty, at revision 0, with an installation of its own", async (store) => {
    assert.deepEqual([store.revision, store.compactedRevision, store.list("").length, store.get("/a")], [0, 0, 0, null]);
    assert.equal(store.epoch, 1);
    assert.match(store.installation, /^[0-9a-f]{32}$/);
  });

  check("a put is read back with its revisions and version", async (store) => {
    assert.deepEqual(await store.commit(puts(["/a", "1"])), { revision: 1 });
    assert.deepEqual(await store.commit(puts(["/a", "2"], ["/b", "x"])), { revision: 2 });
    assert.deepEqual(store.get("/a"), { key: "/a", value: bytes("2"), createRevision: 1, modRevision: 2, version: 2 });
    assert.deepEqual(store.get("/b"), { key: "/b", value: bytes("x"), createRevision: 2, modRevision: 2, version: 1 });
    assert.equal(store.revision, 2);
  });

  check("a key that was deleted begins anew", async (store) => {
    await store.commit(puts(["/a", "1"]));
    await store.commit(deletes("/a"));
    assert.equal(store.get("/a"), null);
    await store.commit(puts(["/a", "2"]));
    assert.deepEqual(store.get("/a"), { key: "/a", value: bytes("2"), createRevision: 3, modRevision: 3, version: 1 });
  });

  check("deleting what is not there is no change, and needs no revision", async (store) => {
    assert.deepEqual(await store.commit(deletes("/a")), { revision: 0 });
    await store.commit(puts(["/b", "1"]));
    assert.deepEqual(await store.commit({ changes: [{ kind: "delete", key: "/a" }] }), { revision: 1 });
  });

  check("a commit without changes only checks", async (store) => {
    await store.commit(puts(["/a", "1"]));
    assert.deepEqual(await store.commit({ conditions: [{ key: "/a", modRevision: 1 }], changes: [] }), { revision: 1 });
    await assert.rejects(store.commit({ conditions: [{ key: "/a", modRevision: 0 }], changes: [] }), { code: "CONFLICT" });
  });

  check("a condition that fails is named, and nothing of the transaction is done", async (store) => {
    await store.commit(puts(["/a", "1"]));
    const conditions = [
      { key: "/a", modRevision: 7 },
      { key: "/b", modRevision: 0 },
      { key: "/c", modRevision: 2 },
    ];
    await assert.rejects(store.commit({ ...puts(["/a", "2"], ["/b", "2"]), conditions }), {
      code: "CONFLICT",
      details: {
        failed: [
          { key: "/a", wanted: 7, current: 1 },
          { key: "/c", wanted: 2, current: 0 },
        ],
      },
    });
    assert.deepEqual([store.revision, text(store.get("/a")?.value), store.get("/b")], [1, "1", null]);
  });

  check("commits that arrive together are judged one after the other, each at a revision of its own", async (store) => {
    const create = (value: string) => store.commit({ ...puts(["/a", value]), conditions: [{ key: "/a", modRevision: 0 }] });
    const results = await Promise.allSettled([
      create("first"),
      create("second"),
      store.commit({ ...puts(["/a", "third"]), conditions: [{ key: "/a", modRevision: 1 }] }),
      store.commit({ ...deletes("/a"), conditions: [{ key: "/a", modRevision: 2 }] }),
      create("fifth"),
    ]);
    const outcome = results.map((result) => (result.status === "fulfilled" ? result.value.revision : result.reason.code));
    assert.deepEqual(outcome, [1, "CONFLICT", 2, 3, 4]);
    assert.equal(text(store.get("/a")?.value), "fifth");
  });

  check("a thousand writers that all add one to a counter count to a thousand", async (store) => {
    await store.commit(puts(["/n", "0"]));
    const addOne = async (): Promise<void> => {
      const { value, modRevision } = store.get("/n") ?? assert.fail("the counter is gone");
      const next = puts(["/n", `${Number(text(value)) + 1}`]);
      try {
        await store.commit({ ...next, conditions: [{ key: "/n", modRevision }] });
      } catch (error) {
        assert.equal((error as { code?: string }).code, "CONFLICT");
        await addOne();
      }
    };
    await Promise.all(
      Array.from(
        { length: 10 },
        async () =>
          void (await (async () => {
            for (let n = 0; n < 100; n++) await addOne();
          })()),
      ),
    );
    assert.equal(text(store.get("/n")?.value), "1000");
  });

  check("a caller that goes on using its buffer does not change what is stored", async (store) => {
    const value = bytes("before");
    await store.commit({ changes: [{ kind: "put", key: "/a", value }] });
    value.set(bytes("after!"));
    assert.equal(text(store.get("/a")?.value), "before");
  });

  check("a list has the keys of its prefix in byte order, by pages", async (store) => {
    const keys = ["/a", "/a/1", "/a/10", "/a/2", "/a/\u{ff61}", "/a/\u{1f600}", "/a0", "/b"];
    await store.commit({ changes: keys.toReversed().map((key) => ({ kind: "put", key, value: bytes(key) })) });
    const list = (...args: Parameters<Store["list"]>) => store.list(...args).map(({ key }) => key);
    assert.deepEqual(list(""), keys, "U+1F600 has larger bytes than U+FF61, though smaller UTF-16 units");
    assert.deepEqual(list("/a/"), keys.slice(1, 6));
    assert.deepEqual(list("/a/", { limit: 2 }), ["/a/1", "/a/10"]);
    assert.deepEqual(list("/a/", { after: "/a/10", limit: 2 }), ["/a/2", "/a/\u{ff61}"]);
    assert.deepEqual(list("/a/", { after: "/z" }), []);
    assert.deepEqual(list("/a/", { after: "" }), keys.slice(1, 6));
    assert.deepEqual(list("/c"), []);
  });

  check("keys and values are bounded and keys are text; whatever is refused changes nothing", async (store) => {
    const put = (key: string, size = 1) => store.commit({ changes: [{ kind: "put", key, value: new Uint8Array(size) }] });
    for (const key of ["", "a".repeat(1_025), "é".repeat(513), "\ud800"]) await assert.rejects(put(key), { code: "REQUEST_INVALID" });
    await assert.rejects(put("/a", 1024 * 1024 + 1), { code: "BODY_TOO_LARGE" });
    await assert.rejects(store.commit(puts(["/a", "1"], ["/a", "2"])), { code: "REQUEST_INVALID" });
    assert.equal(store.revision, 0);
    for (const key of ["a".repeat(1_024), "é".repeat(512), "nul\0inside", "__proto__"]) await put(key, 1);
    await put("/large", 1024 * 1024);
    assert.equal(store.get("/large")?.value.byteLength, 1024 * 1024);
  });

  check("everything is there again when the store is opened again, and the term is one higher", async (store, _t, opened) => {
    await store.commit(puts(["/a", "1"], ["nul\0inside", "2"], ["/gone", "3"], ["/empty", ""]));
    await store.commit(deletes("/gone"));
    await store.commit(puts(["/a", "4"]));
    const before = {
      list: store.list(""),
      revision: store.revision,
      installation: store.installation,
      epoch: store.epoch,
      term: store.term,
    };
    const { store: again } = await opened.reopen();
    const after = {
      list: again.list(""),
      revision: again.revision,
      installation: again.installation,
      epoch: again.epoch,
      term: again.term,
    };
    assert.deepEqual(after, { ...before, term: before.term + 1 });
  });

  check("a closed store refuses commits and ends its watches", async (store, t) => {
    await store.commit(puts(["/a", "1"]));
    const watched = take(store.watch("/", 1, t.signal), 1);
    const committing = store.commit(puts(["/a", "2"]));
    await store.close();
    await committing;
    await assert.rejects(store.commit(puts(["/a", "3"])), { code: "SERVER_UNREACHABLE" });
    assert.ok((await watched).length <= 1);
  });

  // The nine properties of a watch that etcd's robustness tests check (tests/robustness/validate/watch.go).

  check("watch is ordered: a later revision never comes before an earlier one", async (store, t) => {
    const watched = take(store.watch("/k/", 0, t.signal), 300);
    await Promise.all([putMany(store, 100), putMany(store, 100), putMany(store, 100)]);
    const revisions = (await watched).map(({ revision }) => revision);
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
  });

  check("watch is unique: no change comes twice", async (store, t) => {
    const watched = take(store.watch("/k/", 0, t.signal), 300);
    await Promise.all([putMany(store, 150), putMany(store, 150)]);
    const seen = (await watched).map(({ revision }) => revision);
    assert.equal(new Set(seen).size, seen.length);
  });

  check("watch is reliable: no change is left out, for readers fast and slow", async (store, t) => {
    const all = Array.from({ length: 300 }, (_, index) => index + 1);
    const slow = (async () => {
      const seen: number[] = [];
      for await (const { revision } of store.watch("/k/", 0, t.signal)) {
        if (seen.push(revision) === all.length) break;
        if (revision % 10 === 0) for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
      }
      return seen;
    })();
    const fast = take(store.watch("/k/", 0, t.signal), 300);
    await Promise.all([putMany(store, 150), putMany(store, 150)]);
    assert.deepEqual(
      (await fast).map(({ revision }) => revision),
      all,
    );
    assert.deepEqual(await slow, all);
  });

  check("watch is atomic: all changes of one revision come in one batch", async (store, t) => {
    const watched = take(store.watch("/a/", 0, t.signal), 2);
    await store.commit(puts(["/a/1", "1"], ["/b/1", "1"], ["/a/2", "1"]));
    await store.commit({ changes: [...deletes("/a/1").changes, ...puts(["/a/3", "2"]).changes] });
    assert.deepEqual(
      (await watched).map(({ revision, changes }) => [revision, changes.map(words)]),
      [
        [1, ["put /a/1=1", "put /a/2=1"]],
        [2, ["delete /a/1 (was 1)", "put /a/3=2"]],
      ],
    );
  });

  check("watch is resumable: from any kept revision come exactly the changes after it", async (store, t, opened) => {
    await putMany(store, 60);
    const expected = (await take(store.watch("/k/", 0, t.signal), 60)).map(({ revision, changes }) => [revision, changes.map(words)]);
    const { store: again } = await opened.reopen();
    for (const from of [0, 1, 30, 58, 59]) {
      const resumed = await take(again.watch("/k/", from, t.signal), 60 - from);
      assert.deepEqual(
        resumed.map(({ revision, changes }) => [revision, changes.map(words)]),
        expected.slice(from),
        `from ${from}`,
      );
    }
  });

  check(
    "watch is bookmarkable: one that sees nothing is told how far it is, and nothing up to there comes later",
    async (store, t) => {
      const watch = store.watch("/quiet/", 0, t.signal)[Symbol.asyncIterator]();
      const first = watch.next();
      await putMany(store, 20);
      const { value: bookmark } = await first;
      assert.ok(bookmark !== undefined && bookmark.changes.length === 0 && bookmark.revision > 0 && bookmark.revision <= 20);
      await store.commit(puts(["/quiet/a", "1"]));
      for (;;) {
        const { value } = await watch.next();
        assert.ok(value !== undefined && value.revision > bookmark.revision);
        if (value.changes.length > 0) break;
      }
      await watch.return?.();
    },
    { revisions: 40, bytes: 1e6, memoryBytes: 1e6 },
  );

  check("watch is right about the previous value", async (store, t) => {
    const watched = take(store.watch("/a", 0, t.signal), 4);
    await store.commit(puts(["/a", "1"]));
    await store.commit(puts(["/a", "2"]));
    await store.commit(deletes("/a"));
    await store.commit(puts(["/a", "3"]));
    const batches = await watched;
    assert.deepEqual(
      batches.flatMap(({ changes }) => changes.map(words)),
      ["put /a=1", "put /a=2 (was 1)", "delete /a (was 2)", "put /a=3"],
    );
    assert.deepEqual(batches[2]?.changes[0]?.previous, { key: "/a", value: bytes("2"), createRevision: 1, modRevision: 2, version: 2 });
  });

  check("watch is right about creation", async (store, t) => {
    const watched = take(store.watch("/a", 0, t.signal), 4);
    await store.commit(puts(["/a", "1"]));
    await store.commit(puts(["/a", "2"]));
    await store.commit(deletes("/a"));
    await store.commit(puts(["/a", "3"]));
    const created = (await watched).flatMap(({ revision, changes }) =>
      changes.map((change) =>
        change.kind === "put" ? [revision, change.entry.createRevision === revision, change.entry.version] : [revision, "deleted"],
      ),
    );
    assert.deepEqual(created, [
      [1, true, 1],
      [2, false, 2],
      [3, "deleted"],
      [4, true, 1],
    ]);
  });

  check("watch is right about its filter", async (store, t) => {
    const prefixes = ["", "/", "/a", "/a/", "/a/b", "/ab", "/b"];
    const keys = ["/a", "/a/", "/a/b", "/a/bc", "/ab", "/b", "x"];
    const watched = prefixes.map((prefix) => take(store.watch(prefix, 0, t.signal), keys.filter((key) => key.startsWith(prefix)).length));
    for (const key of keys) await store.commit(puts([key, "1"]));
    for (const [index, prefix] of prefixes.entries()) {
      const seen = (await watched[index])?.flatMap(({ changes }) =>
        changes.map((change) => (change.kind === "put" ? change.entry.key : "")),
      );
      assert.deepEqual(
        seen,
        keys.filter((key) => key.startsWith(prefix)),
        prefix,
      );
    }
  });

  check("a watch ends with its signal, whether it waits or has yet to begin", async (store) => {
    const stop = new AbortController();
    const waiting = take(store.watch("/", 0, stop.signal), 1);
    await new Promise(setImmediate);
    stop.abort();
    assert.deepEqual(await waiting, []);
    assert.deepEqual(await take(store.watch("/", 0, stop.signal), 1), []);
  });

  check("a watch from a revision that does not exist yet is refused", async (store, t) => {
    await store.commit(puts(["/a", "1"]));
    assert.throws(() => store.watch("/", 2, t.signal), { code: "REVISION_IN_FUTURE" });
    assert.throws(() => store.watch("/", Number.NaN, t.signal), { code: "REVISION_IN_FUTURE" });
  });

  check("after a compaction older watches are refused, newer ones and current values are as before", async (store, t, opened) => {
    await putMany(store, 30);
    await store.commit(deletes("/k/0"));
    const before = store.list("");
    const expected = (await take(store.watch("", 20, t.signal), 11)).map(({ changes }) => changes.map(words));
    await store.compact(20);
    await store.compact(10);
    assert.equal(store.compactedRevision, 20);
    for (const { store: one } of [opened, await opened.reopen()]) {
      assert.deepEqual(one.list(""), before);
      if (one === store) continue;
      assert.throws(() => one.watch("", 19, t.signal), { code: "COMPACTED", details: { after: 19, compactedRevision: 20, revision: 31 } });
      assert.deepEqual(
        (await take(one.watch("", 20, t.signal), 11)).map(({ changes }) => changes.map(words)),
        expected,
      );
    }
  });

  check("everything can be compacted, and the future cannot", async (store, t) => {
    await putMany(store, 5);
    await assert.rejects(store.compact(6), { code: "REVISION_IN_FUTURE" });
    await store.compact(5);
    assert.equal(store.compactedRevision, 5);
    assert.throws(() => store.watch("", 4, t.signal), { code: "COMPACTED" });
    const next = take(store.watch("", 5, t.signal), 1);
    await store.commit(puts(["/k/0", "new"]));
    assert.deepEqual((await next)[0]?.changes.map(words), ["put /k/0=new (was 0)"]);
  });

  check(
    "history is bounded: a reader that falls too far behind gets COMPACTED, and others lose nothing",
    async (store, t) => {
      const slow = store.watch("/k/", 0, t.signal)[Symbol.asyncIterator]();
      await store.commit(puts(["/k/0", "first"]));
      assert.equal((await slow.next()).value?.revision, 1);
      const fast = take(store.watch("/k/", 0, t.signal), 1_001);
      await putMany(store, 1_000);
      assert.ok(store.compactedRevision > 1 && store.revision - store.compactedRevision <= 700, `${store.compactedRevision}`);
      assert.equal((await fast).length, 1_001);
      await assert.rejects(slow.next(), { code: "COMPACTED" });
    },
    { revisions: 100, bytes: 1e6, memoryBytes: 1e6 },
  );

  check(
    "a watch reads history that is no longer in memory without a gap",
    async (store, t) => {
      await putMany(store, 500);
      await store.commit(puts(["/k/0", "a"], ["/k/1", "b"]));
      await store.commit(deletes("/k/0"));
      const all = await take(store.watch("/k/", 0, t.signal), 502);
      assert.deepEqual(
        all.map(({ revision }) => revision),
        Array.from({ length: 502 }, (_, index) => index + 1),
      );
      assert.deepEqual(
        all.slice(6, 8).flatMap(({ changes }) => changes.map(words)),
        ["put /k/6=6", "put /k/0=7 (was 0)"],
      );
      assert.deepEqual(
        all.slice(500).map(({ changes }) => changes.map(words)),
        [["put /k/0=a (was 497)", "put /k/1=b (was 498)"], ["delete /k/0 (was a)"]],
      );
      assert.deepEqual(
        (await take(store.watch("/k/3", 250, t.signal), 1)).map(({ revision }) => revision),
        [256 - ((256 - 4) % 7)],
      );
    },
    { revisions: 1_000, bytes: 1e6, memoryBytes: 1_000 },
  );

  check("two thousand watchers of one key all get a change, in slices that let other work in between", async (store, t) => {
    const watched = Array.from({ length: 2_000 }, () => take(store.watch("/k", 0, t.signal), 1));
    await new Promise(setImmediate);
    let turns = 0;
    let isCounting = true;
    const count = () => {
      turns++;
      if (isCounting) setImmediate(count);
    };
    await store.commit(puts(["/k", "1"]));
    setImmediate(count);
    const batches = await Promise.all(watched);
    isCounting = false;
    assert.ok(batches.every(([batch]) => batch?.revision === 1));
    assert.ok(turns >= 10, `only ${turns} other turns ran while 2,000 watchers were woken`);
  });
}
