import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Home, homeAt, makeHome } from "#host/home.ts";
import { lockEdge } from "./edge-lock.ts";

async function homeOf(t: TestContext): Promise<Home> {
  const root = await mkdtemp(join(tmpdir(), "drover-edge-lock-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  await makeHome(homeAt(root));
  return homeAt(root);
}

test("one edge of a home refuses others, until it ends", async (t) => {
  const home = await homeOf(t);
  const first = await lockEdge(home, { pid: 11, holder: null });
  await assert.rejects(lockEdge(home, { pid: 12, holder: null }), { code: "HOME_IN_USE", message: /\(pid 11\)/ });
  await assert.rejects(lockEdge(home, { pid: 13, holder: 7 }), { code: "HOME_IN_USE" });
  first.release();
  (await lockEdge(home, { pid: 14, holder: null })).release();
});

test("edges of one holder may overlap, since one takes over from the other", async (t) => {
  const home = await homeOf(t);
  const first = await lockEdge(home, { pid: 21, holder: 20 });
  const second = await lockEdge(home, { pid: 22, holder: 20 });
  await assert.rejects(lockEdge(home, { pid: 24, holder: 23 }), { code: "HOME_IN_USE" });
  first.release();
  await assert.rejects(lockEdge(home, { pid: 24, holder: 23 }), { code: "HOME_IN_USE", message: /\(pid 22\)/ });
  second.release();
});

test("what killed edges left is in nobody's way, also under the same name", async (t) => {
  const home = await homeOf(t);
  for (const file of ["edge-alone-31", "edge-30-32"]) await writeFile(join(home.run, file), "");
  const lock = await lockEdge(home, { pid: 32, holder: 30 });
  assert.deepEqual(await readdir(home.run), ["edge-30-32"]);
  lock.release();
});
