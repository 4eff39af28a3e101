import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  symlink,
  watch,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { packTar } from "#host/pack-tar.ts";
import { isSupervised, restartArguments } from "./become.ts";
import { joinParts, listParts, prune, receivePart } from "./parts.ts";
import { lastingPath, overOf, programsFolder, successorOf } from "./place.ts";
import { guardCommand } from "./programs.ts";

const never = new AbortController().signal;

async function temporary(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "drover-programs-")));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A packed part with one file. */
async function part(folder: string, path: string, text: string): Promise<{ readonly digest: string; readonly bytes: Buffer }> {
  await writeFile(join(folder, path), text);
  const chunks: Buffer[] = [];
  for await (const chunk of packTar(folder, [{ kind: "file", path, sizeBytes: text.length, isExecutable: false }], never))
    chunks.push(chunk);
  const bytes = gzipSync(Buffer.concat(chunks));
  return { digest: createHash("sha256").update(bytes).digest("hex"), bytes };
}

test("a part is there once its digest was found right, and of one that is another nothing stays", async () => {
  await using at = await temporary();
  const folder = join(at.folder, "programs");
  const { digest, bytes } = await part(at.folder, "a", "one");
  await assert.rejects(receivePart(folder, digest, Readable.from([bytes.subarray(0, 50)]), never), { code: "DIGEST_MISMATCH" });
  assert.deepEqual([await listParts(folder), await readdir(join(folder, "incoming"))], [[], []]);
  await receivePart(folder, digest, Readable.from([bytes]), never);
  assert.deepEqual(await listParts(folder), [digest]);
  assert.equal(await readFile(join(folder, "parts", digest, "a"), "utf8"), "one");
  assert.deepEqual(await readdir(join(folder, "incoming")), []);
});

test("versions that are not kept go, with the parts that nothing kept is made of", async () => {
  await using at = await temporary();
  const folder = join(at.folder, "programs");
  const [a, b, c] = await Promise.all([part(at.folder, "a", "1"), part(at.folder, "b", "2"), part(at.folder, "c", "3")]);
  for (const { digest, bytes } of [a, b, c]) await receivePart(folder, digest, Readable.from([bytes]), never);
  await mkdir(join(folder, "versions"));
  await joinParts(folder, [a.digest, b.digest], join(folder, "versions", "old"));
  await joinParts(folder, [a.digest, c.digest], join(folder, "versions", "new"));
  assert.deepEqual((await readdir(join(folder, "versions", "new"))).sort(), ["a", "c"]);
  await writeFile(join(folder, "incoming", "half"), "");
  await prune(folder, new Set(["new"]));
  assert.deepEqual(await readdir(join(folder, "versions")), ["new"]);
  assert.deepEqual(await listParts(folder), [a.digest, c.digest].sort());
});

test("what was installed by hand gives way to the version gone over to, until somebody changes it", async () => {
  await using at = await temporary();
  const [root, home] = [join(at.folder, "clone"), { root: join(at.folder, "home") }];
  await mkdir(join(root, "src"), { recursive: true });
  await writeFile(join(root, "src", "main.ts"), "1");
  assert.equal(await successorOf(root, home), null);
  const folder = programsFolder(root, home);
  const version = join(folder, "versions", "abc");
  await mkdir(version, { recursive: true });
  await mkdir(join(folder, "parts"));
  await symlink("versions/abc", join(folder, "current"));
  assert.equal(await successorOf(root, home), null, "nobody went over");
  const over = await overOf(folder, root);
  assert.ok(over !== null);
  await writeFile(over.file, over.text);
  assert.equal(await successorOf(root, home), version);
  assert.equal(programsFolder(version, home), folder);
  assert.equal(await successorOf(version, home), null);
  assert.equal(lastingPath(folder, version, join(version, "bin", "node")), join(folder, "current", "bin", "node"));
  assert.equal(lastingPath(folder, root, "/usr/bin/node"), "/usr/bin/node");
  await appendFile(join(root, "src", "main.ts"), "2");
  assert.equal(await successorOf(root, home), null, "it was changed by hand");
});

test("an agent is started again with what it was started with, but for manifests; by systemd where that started it", () => {
  assert.deepEqual(restartArguments(["--apply", "shop", "--link", "10.0.0.1:7374", "--apply=x"]), ["up", "--link", "10.0.0.1:7374"]);
  assert.equal(isSupervised({ INVOCATION_ID: "x", SYSTEMD_EXEC_PID: "7" }, 7, 1), true);
  assert.equal(isSupervised({ INVOCATION_ID: "x", SYSTEMD_EXEC_PID: "6" }, 7, 1), false, "a terminal's");
  assert.equal(isSupervised({ INVOCATION_ID: "x" }, 7, 1), true);
  assert.equal(isSupervised({ INVOCATION_ID: "x" }, 7, 500), false);
  assert.equal(isSupervised({}, 7, 1), false);
});

test("a guard takes a machine back of which nobody said in time that it may stay, and leaves one alone that may", async () => {
  await using at = await temporary();
  const guard = async (trial: string) => {
    const script = join(import.meta.dirname, "guard.sh");
    const started = ["/bin/sh", "-c", `echo "$0" >${at.folder}/started`, "again"];
    const child = spawn("/bin/sh", [script, at.folder, join(at.folder, "none.json"), "1", trial, "versions/old", ...started]);
    await once(child, "exit");
  };
  await symlink("versions/new", join(at.folder, "current"));
  await writeFile(join(at.folder, "trial"), "another\n");
  await guard("mine");
  assert.equal(await readlink(join(at.folder, "current")), "versions/new");
  await writeFile(join(at.folder, "trial"), "mine\n");
  await guard("mine");
  assert.equal(await readlink(join(at.folder, "current")), "versions/old");
  assert.equal(await readFile(join(at.folder, "refused"), "utf8"), "mine\nnobody said in time that it works\n");
  assert.equal(await readFile(join(at.folder, "started"), "utf8"), "again\n");
});

test("a version that the machine was rebooted with during its trial, and whose agent does not start, is taken back all the same", async () => {
  await using at = await temporary();
  const { folder } = at;
  const launcher = join(folder, "versions", "0123456789abcdef", "bin", "drover");
  await mkdir(join(folder, "versions", "0123456789abcdef", "bin"), { recursive: true });
  await copyFile(join(import.meta.dirname, "../../../bin/drover"), launcher);
  await symlink("versions/0123456789abcdef", join(folder, "current"));
  const trial = (id: string) => JSON.stringify({ id, from: "versions/old", before: null, key: "k" });
  const started = ["/bin/sh", "-c", `echo "$0" >${folder}/started`, "again"];
  const args = [
    join(import.meta.dirname, "guard.sh"),
    folder,
    join(folder, "none.json"),
    "1",
    trial("0123456789abcdef"),
    "versions/old",
    ...started,
  ];
  await writeFile(join(folder, "guard"), guardCommand(args));
  // Without a program to start, which is what it is there for.
  const boot = async () => {
    const child = spawn(launcher, ["agent"], { env: { PATH: "/bin:/usr/bin", NODE_COMPILE_CACHE: "" }, stdio: "ignore" });
    await once(child, "exit");
  };
  await writeFile(join(folder, "trial"), `${trial("another")}\n`);
  await boot();
  await writeFile(join(folder, "trial"), `${trial("0123456789abcdef")}\n`);
  const changes = watch(folder, { signal: AbortSignal.timeout(60_000) });
  const over = (async () => {
    for await (const { filename } of changes) if (filename === "started") return;
  })();
  await Promise.all([boot(), boot()]);
  await over;
  assert.equal(await readlink(join(folder, "current")), "versions/old");
  assert.equal(await readFile(join(folder, "refused"), "utf8"), `${trial("0123456789abcdef")}\nnobody said in time that it works\n`);
});
