import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { hasCode } from "#model/errors.ts";
import type { Digest } from "#model/names.ts";
import { openArtifactStore } from "./store.ts";
import { readTree, treeDigest } from "./tree.ts";

const { signal } = new AbortController();
const noDigest = `sha256:${"0".repeat(64)}` as Digest;
const generous = { contentBytes: 2 ** 30, files: 10_000 };

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-artifacts-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function open(folder: string, isUsed: (digest: Digest) => boolean = () => false) {
  return openArtifactStore({ folder, isUsed, clock: systemClock, log: createLog({ print: () => {}, nowMs: () => 0 }) });
}

async function exampleSource(t: TestContext): Promise<{ folder: string; digest: Digest; tar: Buffer }> {
  const folder = join(await temporaryFolder(t), "source");
  await mkdir(join(folder, "lib", "deep"), { recursive: true });
  await writeFile(join(folder, "run.sh"), "#!/bin/sh\necho hi\n");
  await chmod(join(folder, "run.sh"), 0o4755);
  await writeFile(join(folder, "lib", `${"long-".repeat(30)}é.txt`), "a".repeat(70_000));
  await writeFile(join(folder, "empty"), "");
  await symlink("../run.sh", join(folder, "lib", "run"));
  const tar = execFileSync("tar", ["-cz", "-C", folder, "."], { maxBuffer: 2 ** 26 });
  return { folder, tar, digest: treeDigest(await readTree(folder, generous, signal)) };
}

test("what GNU tar packs is stored under the digest of its content, read-only, and comes back as the same tree", async (t) => {
  const source = await exampleSource(t);
  const store = await open(join(await temporaryFolder(t), "artifacts"));
  await store.put(source.digest, Readable.from([source.tar]), signal);
  const folder = store.folder(source.digest);
  assert.equal((await stat(join(folder, "run.sh"))).mode & 0o7777, 0o555);
  assert.equal((await stat(join(folder, "empty"))).mode & 0o7777, 0o444);
  assert.equal((await stat(join(folder, "lib"))).mode & 0o7777, 0o555);
  assert.equal(await readlink(join(folder, "lib", "run")), "../run.sh");
  const first = await buffer(await store.pack(source.digest, signal));
  assert.deepEqual(first, await buffer(await store.pack(source.digest, signal)));
  const second = await open(join(await temporaryFolder(t), "artifacts"));
  await second.put(source.digest, Readable.from([first]), signal);
  assert.equal(second.list()[0]?.sizeBytes, 70_018);
});

test("our own tar streams are readable by GNU tar", async (t) => {
  const source = await exampleSource(t);
  const store = await open(join(await temporaryFolder(t), "artifacts"));
  await store.put(source.digest, Readable.from([source.tar]), signal);
  const folder = await temporaryFolder(t);
  execFileSync("tar", ["-x", "-C", folder], { input: await buffer(await store.pack(source.digest, signal)) });
  assert.equal(treeDigest(await readTree(folder, generous, signal)), source.digest);
});

test("content that is not what its digest says is refused and leaves nothing behind", async (t) => {
  const source = await exampleSource(t);
  const folder = join(await temporaryFolder(t), "artifacts");
  const store = await open(folder);
  await assert.rejects(store.put(noDigest, Readable.from([source.tar]), signal), (error) => hasCode(error, "DIGEST_MISMATCH"));
  assert.deepEqual(await readdir(folder), [".incoming"]);
  assert.deepEqual(await readdir(join(folder, ".incoming")), []);
  assert.equal(store.has(noDigest), false);
});

test("storing the same content twice at once keeps it once", async (t) => {
  const source = await exampleSource(t);
  const store = await open(join(await temporaryFolder(t), "artifacts"));
  await Promise.all([1, 2].map(() => store.put(source.digest, Readable.from([source.tar]), signal)));
  assert.equal(store.list().length, 1);
});

test("an artifact that a workload uses is not removed, and one that none uses is gone with its record", async (t) => {
  const source = await exampleSource(t);
  const folder = join(await temporaryFolder(t), "artifacts");
  let isUsed = true;
  const store = await open(folder, () => isUsed);
  await store.put(source.digest, Readable.from([source.tar]), signal);
  await assert.rejects(store.remove(source.digest), (error) => hasCode(error, "CONFLICT"));
  isUsed = false;
  await store.remove(source.digest);
  assert.deepEqual(await readdir(folder), [".incoming"]);
  assert.throws(
    () => store.folder(source.digest),
    (error) => hasCode(error, "ARTIFACT_NOT_FOUND"),
  );
});

test("a new start finds what was stored and sweeps what a killed run left", async (t) => {
  const source = await exampleSource(t);
  const folder = join(await temporaryFolder(t), "artifacts");
  await (await open(folder)).put(source.digest, Readable.from([source.tar]), signal);
  await mkdir(join(folder, ".incoming", "half"));
  await writeFile(join(folder, ".incoming", "half", "file"), "");
  await writeFile(join(folder, `${"a".repeat(64)}.json`), "{}");
  await mkdir(join(folder, "b".repeat(64)));
  const store = await open(folder);
  const hex = source.digest.slice(7);
  assert.deepEqual((await readdir(folder)).sort(), [".incoming", hex, `${hex}.json`].sort());
  assert.deepEqual(await readdir(join(folder, ".incoming")), []);
  assert.ok(store.has(source.digest));
});

test("a damaged record is made anew from the content", async (t) => {
  const source = await exampleSource(t);
  const folder = join(await temporaryFolder(t), "artifacts");
  await (await open(folder)).put(source.digest, Readable.from([source.tar]), signal);
  const file = join(folder, `${source.digest.slice(7)}.json`);
  const record = await readFile(file, "utf8");
  await truncate(file, 5);
  assert.ok((await open(folder)).has(source.digest));
  assert.equal(await readFile(file, "utf8"), record);
});

test("an artifact that was changed on the disk is not handed out", async (t) => {
  const source = await exampleSource(t);
  const store = await open(join(await temporaryFolder(t), "artifacts"));
  await store.put(source.digest, Readable.from([source.tar]), signal);
  const file = join(store.folder(source.digest), "run.sh");
  await chmod(file, 0o755);
  await writeFile(file, "#!/bin/sh\necho ho\n");
  await assert.rejects(store.pack(source.digest, signal), (error) => hasCode(error, "DIGEST_MISMATCH"));
});
