import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { BuildOptions, BuildProgress, BuildResult } from "#model/build.ts";
import type { ErrorBody } from "#model/errors.ts";
import { openArtifactStore } from "../artifacts/store.ts";
import { openBuilder } from "./builder.ts";
import { confineByProc } from "./confinement.ts";
import { buildEnvironment } from "./environment.ts";

const { signal } = new AbortController();
const isRoot = process.geteuid?.() === 0;
const usual: BuildOptions = { space: "test", app: "app", run: null, timeoutMs: 60_000, memoryBytes: 2 ** 30 };

async function openAll(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), "drover-build-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  // As Drover's home: to be passed through by the users that builds run as.
  await chmod(root, 0o711);
  const log = createLog({ print: () => {}, nowMs: () => 0 });
  const artifacts = await openArtifactStore({ folder: join(root, "artifacts"), isUsed: () => false, clock: systemClock, log });
  const folder = join(root, "builds");
  const environment = buildEnvironment(process.env, isRoot);
  const builder = await openBuilder({
    folder,
    artifacts,
    environment,
    firstUid: isRoot ? 39_000 : null,
    confine: confineByProc,
    clock: systemClock,
    log,
  });
  const build = async (files: Readonly<Record<string, string>>, options: Partial<BuildOptions> = {}, until: AbortSignal = signal) => {
    const progress: BuildProgress[] = [];
    for await (const one of builder.build({ ...usual, ...options }, Readable.from([await archive(root, files)]), until)) progress.push(one);
    return progress;
  };
  return { root, folder, artifacts, builder, build };
}

async function archive(root: string, files: Readonly<Record<string, string>>): Promise<Buffer> {
  const source = await mkdtemp(join(root, "source-"));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), content, { mode: content.startsWith("#!") ? 0o755 : 0o644 });
  }
  return execFileSync("tar", ["-cz", "-C", source, "."], { maxBuffer: 2 ** 27 });
}

function resultOf(progress: readonly BuildProgress[]): BuildResult {
  const last = progress.at(-1);
  assert.equal(last?.kind, "done", JSON.stringify(last));
  return last.result;
}

function errorOf(progress: readonly BuildProgress[]): ErrorBody {
  const last = progress.at(-1);
  assert.equal(last?.kind, "failed", JSON.stringify(last));
  return last.error;
}

function outputOf(progress: readonly BuildProgress[]): string[] {
  return progress.flatMap((one) => (one.kind === "output" ? [one.line] : []));
}

test("a Procfile says what runs", async (t) => {
  const { build, artifacts } = await openAll(t);
  const result = resultOf(
    await build({ Procfile: "# the shop\nweb: ./serve $PORT\nworker: ./work\nrelease: ./migrate\n", serve: "#!/bin/sh\n" }),
  );
  assert.deepEqual([result.kind, result.processes, result.cached], ["procfile", { web: "./serve $PORT", worker: "./work" }, false]);
  assert.equal(await readFile(join(artifacts.folder(result.artifact), "serve"), "utf8"), "#!/bin/sh\n");
});

test("a static site gets a server of its own", async (t) => {
  const { build, artifacts } = await openAll(t);
  const result = resultOf(await build({ "public/index.html": "<h1>hello</h1>" }));
  assert.equal(result.kind, "static");
  assert.match(result.processes["web"] ?? "", /static-server\.mjs public$/);
  assert.ok((await readdir(join(artifacts.folder(result.artifact), ".drover"))).includes("static-server.mjs"));
});

test("a Node app is installed from its lock file, built, and left without what only the build needed", async (t) => {
  const { build, artifacts } = await openAll(t);
  const files = {
    "package.json": JSON.stringify({
      name: "app",
      version: "1.0.0",
      scripts: { build: "greet > built.txt", start: "node server.js" },
      dependencies: { kept: "file:./kept" },
      devDependencies: { greet: "file:./greet" },
    }),
    "kept/package.json": JSON.stringify({ name: "kept", version: "1.0.0" }),
    "greet/package.json": JSON.stringify({ name: "greet", version: "1.0.0", bin: "greet.js" }),
    "greet/greet.js": "#!/usr/bin/env node\nconsole.log('built by', process.env.USER ?? 'nobody');\n",
    "server.js": "",
    "package-lock.json": JSON.stringify({
      name: "app",
      version: "1.0.0",
      lockfileVersion: 3,
      packages: {
        "": { name: "app", version: "1.0.0", dependencies: { kept: "file:./kept" }, devDependencies: { greet: "file:./greet" } },
        kept: { version: "1.0.0" },
        greet: { version: "1.0.0", dev: true, bin: { greet: "greet.js" } },
        "node_modules/kept": { resolved: "kept", link: true },
        "node_modules/greet": { resolved: "greet", link: true },
      },
    }),
  };
  const progress = await build(files);
  const result = resultOf(progress);
  assert.deepEqual([result.kind, result.processes], ["node", { web: "node server.js" }]);
  const folder = artifacts.folder(result.artifact);
  assert.equal(await readFile(join(folder, "built.txt"), "utf8"), "built by nobody\n");
  const modules = await readdir(join(folder, "node_modules"));
  assert.ok(modules.includes("kept") && !modules.includes("greet"), modules.join());
});

test("the same source gives the same artifact, without building it twice", async (t) => {
  const { build, artifacts, folder } = await openAll(t);
  const files = { "index.html": "x" };
  const first = resultOf(await build(files, { run: "echo built > built.txt" }));
  const second = resultOf(await build(files, { run: "echo built > built.txt" }));
  assert.deepEqual(second, { ...first, cached: true });
  await artifacts.remove(first.artifact);
  assert.deepEqual(resultOf(await build(files, { run: "echo built > built.txt" })), first);
  assert.deepEqual(await readdir(folder), ["cache"]);
});

test("a source with nothing to run is refused with what was looked for, unless the manifest says what to run", async (t) => {
  const { build, folder } = await openAll(t);
  const error = errorOf(await build({ "notes.txt": "x" }));
  assert.equal(error.code, "BUILD_SOURCE_UNKNOWN");
  assert.match(error.message, /Procfile, a package\.json/);
  assert.deepEqual(resultOf(await build({ "notes.txt": "x" }, { hasRun: true })).processes, {});
  assert.deepEqual(await readdir(folder), ["cache"]);
});

test("a build that fails shows its last lines and leaves nothing behind", async (t) => {
  const { build, folder, artifacts } = await openAll(t);
  const progress = await build({ "index.html": "x" }, { run: "echo one; echo two >&2; exit 3" });
  const error = errorOf(progress);
  assert.equal(error.code, "BUILD_FAILED");
  assert.match(error.message, /exited with 3/);
  assert.deepEqual(outputOf(progress).sort(), ["one", "two"]);
  assert.deepEqual([await readdir(folder), artifacts.list()], [[], []]);
});
