import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { packTar } from "#host/pack-tar.ts";
import { nameFrom } from "./app-name.ts";
import { listFiles } from "./list-files.ts";
import { withSource } from "./with-source.ts";

const limits = { sourceBytes: 1_000_000, files: 100 };

async function folderWith(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-source-"));
  context.after(() => rm(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

async function packed(folder: string, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of packTar(folder, await listFiles(folder, limits, signal), signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("what git would ignore is left out, .droverignore has the last word, and .git never goes", async (t) => {
  const folder = await folderWith(t, {
    ".gitignore": "node_modules/\n*.log\n/dist\n",
    ".droverignore": "!dist\nsecret.txt\n",
    ".git/config": "x",
    "node_modules/a/index.js": "x",
    "a.log": "x",
    "dist/app.js": "x",
    "secret.txt": "x",
    "sub/.gitignore": "*.tmp\n!keep.log\n",
    "sub/x.tmp": "x",
    "sub/keep.log": "x",
    "sub/dist/y.js": "x",
    "server.js": "x",
  });
  const paths = (await listFiles(folder, limits, t.signal)).map(({ path }) => path);
  assert.deepEqual(paths, [
    ".droverignore",
    ".gitignore",
    "dist",
    "dist/app.js",
    "server.js",
    "sub",
    "sub/.gitignore",
    "sub/dist",
    "sub/dist/y.js",
    "sub/keep.log",
  ]);
});

test("the same files give the same bytes, whatever their times and folder, and tar reads them", async (t) => {
  const deep = `${"long-folder-name/".repeat(8)}file.txt`;
  const files = { "b.txt": "bee", "a.txt": "", "run.sh": "#!/bin/sh\n", "täst.txt": "ü", [deep]: "deep" };
  const digests = new Set<string>();
  for (const time of [1_000_000, 2_000_000]) {
    const folder = await folderWith(t, files);
    await chmod(join(folder, "run.sh"), 0o755);
    await symlink("b.txt", join(folder, "link"));
    await utimes(join(folder, "b.txt"), time, time);
    const bytes = await packed(folder, t.signal);
    digests.add(createHash("sha256").update(bytes).digest("hex"));
    const listed = spawnSync("tar", ["-tvf", "-"], { input: bytes, encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8" } });
    assert.equal(listed.stderr, "");
    assert.match(listed.stdout, /-rwxr-xr-x 0\/0 +10 1970-01-01 .* run\.sh/);
    assert.match(listed.stdout, /link -> b\.txt/);
    assert.ok(listed.stdout.includes(deep));
  }
  assert.equal(digests.size, 1);
});

test("a source over its limits is refused with what to do", async (t) => {
  const folder = await folderWith(t, { a: "12345", b: "12345", c: "12345" });
  const hint = /\.droverignore/;
  await assert.rejects(listFiles(folder, { sourceBytes: 12, files: 10 }, t.signal), { code: "BUILD_LIMIT", hint });
  await assert.rejects(listFiles(folder, { sourceBytes: 100, files: 2 }, t.signal), { code: "BUILD_LIMIT", hint });
});

test("a file that grows while it is packed is noticed", async (t) => {
  const folder = await folderWith(t, { a: "12345" });
  const entries = await listFiles(folder, limits, t.signal);
  await writeFile(join(folder, "a"), "1234567");
  await assert.rejects(
    async () => {
      for await (const _chunk of packTar(folder, entries, t.signal));
    },
    { code: "CONFLICT" },
  );
});

test("an app is named after its folder as far as that goes", () => {
  const names = { "My Shop_2": "my-shop-2", "--x--": "x", Café: "cafe", ["a".repeat(60)]: "a".repeat(40) };
  for (const [folder, name] of Object.entries(names)) assert.equal(nameFrom(folder, "the folder"), name);
  assert.throws(() => nameFrom("☃", "the folder"), { code: "NAME_INVALID" });
});

test("a pushed manifest gets its folder as the source, at its end, unless it says another", async () => {
  const rows: readonly (readonly [string, string])[] = [
    ["app: a\nrun: x\n", "app: a\nrun: x\nsource: .\n"],
    ["app: a\nrun: x", "app: a\nrun: x\nsource: .\n"],
    ["app: a\nsource: src\n", "app: a\nsource: src\n"],
    ["app: a\nenv:\n  source: x\n", "app: a\nenv:\n  source: x\nsource: .\n"],
    ["app: a\nrun: x\n---\napp: b\nrun: y\n", "app: a\nrun: x\n---\napp: b\nrun: y\n"],
    ["app: [broken\n", "app: [broken\n"],
  ];
  for (const [before, after] of rows) assert.equal((await withSource({ file: "f", text: before }, null)).text, after);
  await assert.rejects(withSource({ file: "f", text: "app: a\nrun: x\n" }, "b"), { code: "USAGE" });
});

test("a manifest is no part of the source that it names", async (t) => {
  const folder = await folderWith(t, { "drover.yaml": "app: a\n", "server.js": "x", "sub/drover.yaml": "x" });
  const entries = await listFiles(folder, { ...limits, leaveOut: [join(folder, "drover.yaml"), "/elsewhere/server.js"] }, t.signal);
  assert.deepEqual(
    entries.map(({ path }) => path),
    ["server.js", "sub", "sub/drover.yaml"],
  );
});
