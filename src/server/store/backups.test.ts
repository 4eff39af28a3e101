import assert from "node:assert/strict";
import { existsSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { backUp, listBackups } from "./backups.ts";
import type { Store } from "./store.ts";
import { storeFiles } from "./store-files.ts";
import { restoreBackup } from "./testing/restore-backup.ts";
import { openIn, silentLog, temporaryFolder } from "./testing/temporary-store.ts";

const put = (store: Store, key: string, value: string) => store.commit({ changes: [{ kind: "put", key, value: Buffer.from(value) }] });
const content = (store: Store) => store.list("").map(({ key, value }) => `${key}=${Buffer.from(value)}`);

test("a backup made under writes opens by itself, with all that was acknowledged before it", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openIn(folder);
  for (let n = 0; n < 100; n++) await put(store, `/k/${n}`, "x".repeat(5_000));
  const backup = backUp(store, storeFiles(folder).backups);
  for (let n = 0; n < 100; n++) await put(store, `/late/${n}`, "x".repeat(500));
  const { file } = (await backup) ?? assert.fail();
  await store.close();
  const other = await temporaryFolder(t);
  await restoreBackup({ folder: other, from: file, log: silentLog });
  const restored = await openIn(other);
  assert.equal(restored.list("/k/").length, 100);
  assert.equal(restored.installation, store.installation);
  await restored.close();
  assert.deepEqual(readdirSync(storeFiles(folder).backups).length, 1, "nothing but the backup");
});

test("a restored store has a higher epoch, no history, and no revision that was ever given before", async (t) => {
  const folder = await temporaryFolder(t);
  let store = await openIn(folder);
  await put(store, "/a", "1");
  await put(store, "/gone", "1");
  await store.commit({ changes: [{ kind: "delete", key: "/gone" }] });
  const { file } = (await backUp(store, storeFiles(folder).backups)) ?? assert.fail();
  await put(store, "/a", "2");
  const last = store.revision;
  await store.close();

  for (const epoch of [2, 3]) {
    await restoreBackup({ folder, from: file, log: silentLog });
    store = await openIn(folder);
    assert.deepEqual([content(store), store.epoch], [["/a=1"], epoch]);
    assert.ok(store.revision > last);
    assert.throws(() => store.watch("", last, t.signal), { code: "COMPACTED" });
    const { revision } = await put(store, "/b", "1");
    assert.equal(revision, store.compactedRevision + 1);
    await store.close();
    assert.ok(existsSync(join(folder, `replaced-${epoch - 1}`, "store.db")), "what was there is kept");
  }
});

test("a damaged, missing or live store's backup changes nothing", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openIn(folder);
  await put(store, "/a", "1");
  const { file } = (await backUp(store, storeFiles(folder).backups)) ?? assert.fail();
  await assert.rejects(restoreBackup({ folder, from: file, log: silentLog }), { code: "STORE_IN_USE" });
  await store.close();
  truncateSync(file, 9_000);
  await assert.rejects(restoreBackup({ folder, from: file, log: silentLog }), { code: "STORE_DAMAGED", message: /cannot be restored/ });
  await assert.rejects(restoreBackup({ folder, from: `${file}.not`, log: silentLog }), { code: "SOURCE_NOT_FOUND" });
  const again = await openIn(folder);
  assert.deepEqual([content(again), again.epoch], [["/a=1"], 1]);
  await again.close();
});

test("a backup is made where something changed, and only the newest are kept", async (t) => {
  const folder = await temporaryFolder(t);
  const { backups } = storeFiles(folder);
  const store = await openIn(folder);
  t.after(() => store.close());
  for (const value of ["1", "2", "2", "4", "5"]) {
    const made = await backUp(store, backups, 2);
    assert.equal((await backUp(store, backups, 2)) ?? null, null, "nothing changed since");
    assert.notEqual(made, null);
    await put(store, "/a", value);
  }
  assert.deepEqual(
    (await listBackups(backups)).map(({ epoch, revision }) => [epoch, revision]),
    [
      [1, 4],
      [1, 3],
    ],
  );
});
