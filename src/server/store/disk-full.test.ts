import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hasCode } from "#model/errors.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { Store } from "./store.ts";
import { silentLog } from "./testing/temporary-store.ts";

const mib = 1024 * 1024;
const skip =
  process.getuid?.() === 0 && spawnSync("sh", ["-c", "command -v mount"]).status === 0 ? false : "needs root, to mount a small disk";

/** A folder on a disk of its own, of `size` bytes; null if none can be had here. */
async function smallDisk(context: TestContext, size: number): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), "drover-disk-"));
  context.after(async () => {
    spawnSync("umount", ["-l", folder]);
    await rm(folder, { recursive: true });
  });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], { encoding: "utf8" });
  if (mounted.status === 0) return folder;
  context.skip(`no small disk can be mounted here: ${mounted.stderr.trim()}`);
  return null;
}

const open = (folder: string) => openSqliteStore({ folder, log: silentLog, random: Math.random, fatal: assert.ifError });
const put = (store: Store, key: string, size: number) =>
  store.commit({ changes: [{ kind: "put", key, value: new Uint8Array(size).fill(1) }] });
const remove = (store: Store, key: string) => store.commit({ changes: [{ kind: "delete", key }] });

/** Fills the rest of the disk from outside; returns the file that did it. */
function fill(folder: string): string {
  const file = join(folder, "filler");
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(file, new Uint8Array(bavail * bsize));
  return file;
}

async function putUntilFull(store: Store): Promise<number> {
  for (let n = 0; n < 10_000; n++) {
    try {
      await put(store, `/k/${String(n).padStart(5, "0")}`, 20_000);
    } catch (error) {
      assert.ok(hasCode(error, "STORAGE_FULL"), String(error));
      return n;
    }
  }
  return assert.fail("the disk never filled");
}

test("on a disk that the store itself filled, reads go on, every key can be deleted, and then there is room again", { skip }, async (t) => {
  const folder = await smallDisk(t, 16 * mib);
  if (folder === null) return;
  let store = await open(folder);
  const count = await putUntilFull(store);
  assert.ok(count > 100, `${count} fitted`);
  assert.equal(store.list("/k/").length, count);
  await assert.rejects(put(store, "/more", 20_000), { code: "STORAGE_FULL" });
  for (const { key } of store.list("/k/")) await remove(store, key);
  assert.equal(store.list("/k/").length, 0);
  for (let n = 0; n < count / 2; n++) await put(store, `/again/${n}`, 20_000);
  await store.close();
  store = await open(folder);
  assert.equal(store.list("/again/").length, Math.ceil(count / 2));
  await store.close();
});

test("on a disk that others filled, deletions go on, also after a restart, and puts go on when space returns", { skip }, async (t) => {
  const folder = await smallDisk(t, 24 * mib);
  if (folder === null) return;
  let store = await open(folder);
  for (let n = 0; n < 200; n++) await put(store, `/k/${n}`, 10_000);
  const filler = fill(folder);
  const isFull = async () => {
    for (let n = 0; n < 200; n++) await put(store, `/more/${n}`, 20_000);
  };
  await assert.rejects(isFull(), { code: "STORAGE_FULL" });
  const before = store.list("/more/").length;
  for (let n = 0; n < 50; n++) await remove(store, `/k/${n}`);
  await store.close();
  store = await open(folder);
  assert.equal(store.list("/k/").length, 150, "a full disk does not keep the store from opening");
  for (let n = 50; n < 100; n++) await remove(store, `/k/${n}`);
  rmSync(filler);
  await put(store, "/after", 100_000);
  assert.deepEqual([store.list("/k/").length, store.list("/more/").length, store.get("/after")?.value.length], [100, before, 100_000]);
  await store.close();
});
