import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import { SparePipes } from "./spare-pipes.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-pipes-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("who comes first makes its own pipe; those after it get one that is for them alone", async (t) => {
  const folder = await temporaryFolder(t);
  const place = join(folder, "out");
  const pipes = await SparePipes.open(join(folder, "pipes"), log);
  assert.equal(await pipes.take(place, null), false);
  await pipes.settle();
  assert.equal(await pipes.take(place, null), true);
  const found = await lstat(place);
  assert.equal(found.isFIFO(), true);
  assert.equal(found.mode & 0o777, 0o600);
});

test("what an agent leaves is for the next one, and no pipe is given twice", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await SparePipes.open(join(folder, "pipes"), log);
  await first.take(join(folder, "none"), null);
  await first.settle();
  const left = (await readdir(join(folder, "pipes"))).length;
  const next = await SparePipes.open(join(folder, "pipes"), log);
  const taken = await Promise.all(Array.from({ length: left }, (_, i) => next.take(join(folder, `out-${i}`), null)));
  await next.settle();
  assert.equal(taken.every(Boolean), true);
  const inodes = await Promise.all(taken.map(async (_, i) => (await lstat(join(folder, `out-${i}`))).ino));
  assert.equal(new Set(inodes).size, left);
});

test("where a pipe cannot be put in place, or is gone, the caller is told to make it", async (t) => {
  const folder = await temporaryFolder(t);
  const pipes = await SparePipes.open(join(folder, "pipes"), log);
  await pipes.take(join(folder, "none"), null);
  await pipes.settle();
  await mkdir(join(folder, "out"));
  await writeFile(join(folder, "out", "file"), "");
  assert.equal(await pipes.take(join(folder, "out"), null), false);
  for (const name of await readdir(join(folder, "pipes"))) await rm(join(folder, "pipes", name));
  assert.equal(await pipes.take(join(folder, "other"), null), false);
});
