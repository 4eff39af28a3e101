import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { processesWith } from "#host/testing/processes.ts";
import type { BuildOptions, BuildProgress, BuildResult } from "#model/build.ts";
import type { ErrorBody } from "#model/errors.ts";
import type { Digest } from "#model/names.ts";
import { launchEnvironment } from "../artifacts/launch.ts";
import { openArtifactStore } from "../artifacts/store.ts";
import { openCgroups } from "../engines/local/cgroups.ts";
import { type BuilderOptions, openBuilder } from "./builder.ts";
import { confineByCgroup } from "./confine-by-cgroup.ts";
import { confineByProc } from "./confinement.ts";
import { buildEnvironment } from "./environment.ts";

const { signal } = new AbortController();
const isRoot = process.geteuid?.() === 0;
const usual: BuildOptions = { space: "test", app: "app", run: null, timeoutMs: 60_000, memoryBytes: 2 ** 30 };

async function openAll(t: TestContext, space?: BuilderOptions["space"], confine = confineByProc) {
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
    ...(space === undefined ? {} : { space }),
    confine,
    clock: systemClock,
    log,
  });
  const build = async (files: Readonly<Record<string, string>>, options: Partial<BuildOptions> = {}) => {
    const progress: BuildProgress[] = [];
    for await (const one of builder.build({ ...usual, ...options }, Readable.from([await archive(root, files)]), signal))
      progress.push(one);
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

/** One whose build calls npm. */
async function nodeApp(folder: string): Promise<string> {
  const source = await mkdtemp(`${folder}-node-`);
  await writeFile(
    join(source, "package.json"),
    JSON.stringify({ name: "a", version: "1.0.0", scripts: { start: "node s.js", build: "true" } }),
  );
  await writeFile(join(source, "s.js"), "");
  return source;
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

for (const [manager, lock] of [
  [
    "pnpm",
    [
      "pnpm-lock.yaml",
      "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      kept:\n        specifier: link:./kept\n        version: link:kept\n",
    ],
  ],
  ["yarn", ["yarn.lock", '# yarn lockfile v1\n\n\n"kept@file:./kept":\n  version "1.0.0"\n']],
] as const) {
  test(`a Node app with the lock file of ${manager} is installed by it`, async (t) => {
    const env = buildEnvironment(process.env, isRoot);
    if (spawnSync(manager, ["--version"], { env }).status !== 0) return t.skip(`this machine has no ${manager} for every user`);
    const { build, artifacts } = await openAll(t);
    const dependency = manager === "pnpm" ? "link:./kept" : "file:./kept";
    const result = resultOf(
      await build({
        "package.json": JSON.stringify({
          name: "app",
          version: "1.0.0",
          scripts: { start: "node s.js" },
          dependencies: { kept: dependency },
        }),
        [lock[0]]: lock[1],
        "kept/package.json": JSON.stringify({ name: "kept", version: "1.0.0", main: "kept.js" }),
        "kept/kept.js": "module.exports = 'kept';\n",
        "s.js": "console.log(require('kept'));\n",
      }),
    );
    assert.deepEqual([result.kind, result.processes], ["node", { web: "node s.js" }]);
    const folder = artifacts.folder(result.artifact);
    assert.equal(execFileSync(process.execPath, ["s.js"], { cwd: folder, encoding: "utf8" }), "kept\n");
  });
}

test("the same source gives the same artifact, without building it twice", async (t) => {
  const { build, artifacts, folder } = await openAll(t);
  const files = { "index.html": "x" };
  const first = resultOf(await build(files, { run: "echo built > built.txt" }));
  const second = resultOf(await build(files, { run: "echo built > built.txt" }));
  assert.deepEqual(second, { ...first, cached: true });
  await artifacts.remove(first.artifact);
  assert.deepEqual(resultOf(await build(files, { run: "echo built > built.txt" })), first);
  assert.deepEqual((await readdir(folder)).sort(), ["archives", "cache"]);
});

test("an archive that was built so before is known by its digest, until that would become something else", async (t) => {
  const { build, builder, artifacts, root, folder } = await openAll(t);
  const files = { "index.html": "x" };
  const run = "echo built > built.txt";
  const first = resultOf(await build(files, { run }));
  const bytes = await archive(root, files);
  const options = { ...usual, run };
  for await (const _ of builder.build(options, Readable.from([bytes]), signal));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
  assert.deepEqual(await builder.known(options, digest, signal), { ...first, cached: true });
  assert.deepEqual(
    await builder.known({ ...options, memoryBytes: 2 ** 29 }, digest, signal),
    { ...first, cached: true },
    "limits decide nothing",
  );
  assert.equal(await builder.known({ ...options, run: "true" }, digest, signal), null, "built otherwise");
  assert.equal(await builder.known(options, `sha256:${"0".repeat(64)}` as Digest, signal), null, "another archive");
  await artifacts.remove(first.artifact);
  assert.equal(await builder.known(options, digest, signal), null, "the artifact is gone");
  assert.deepEqual((await readdir(folder)).sort(), ["archives", "cache"]);
});

test("an archive is not known any more once a tool of its build has another version", async (t) => {
  const { builder, folder } = await openAll(t);
  const bytes = execFileSync("tar", ["-cz", "-C", await nodeApp(folder), "."]);
  for await (const _ of builder.build(usual, Readable.from([bytes]), signal));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
  assert.notEqual(await builder.known(usual, digest, signal), null);
  const [entry = ""] = await readdir(join(folder, "archives"));
  const file = join(folder, "archives", entry);
  await writeFile(file, (await readFile(file, "utf8")).replace(/"version":"[^"]*"/, '"version":"0.0.1"'));
  assert.equal(await builder.known(usual, digest, signal), null);
});

test("a source with nothing to run is refused with what was looked for, unless the manifest says what to run", async (t) => {
  const { build, folder } = await openAll(t);
  const error = errorOf(await build({ "notes.txt": "x" }));
  assert.equal(error.code, "BUILD_SOURCE_UNKNOWN");
  assert.match(error.message, /Procfile, a package\.json/);
  assert.deepEqual(resultOf(await build({ "notes.txt": "x" }, { hasRun: true })).processes, {});
  assert.deepEqual((await readdir(folder)).sort(), ["archives", "cache"]);
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

test("a build that hangs is ended at its time limit with everything that it started", async (t) => {
  const { build, folder } = await openAll(t);
  const run = "sleep 4821 & (setsid sleep 4822 &) ; echo started; sleep 4823";
  const progress = await build({ "index.html": "x" }, { run, timeoutMs: 700 });
  assert.equal(errorOf(progress).code, "BUILD_TIMED_OUT");
  assert.deepEqual(outputOf(progress), ["started"]);
  assert.deepEqual(await processesWith("cmdline", "sleep\u0000482"), []);
  assert.deepEqual(await readdir(folder), []);
});

test("a build whose caller goes away is ended", async (t) => {
  const { builder, folder, root } = await openAll(t);
  const abort = new AbortController();
  const source = Readable.from([await archive(root, { "index.html": "x" })]);
  let last: BuildProgress | null = null;
  for await (const one of builder.build({ ...usual, run: "echo started; sleep 4824" }, source, abort.signal)) {
    if (one.kind === "output") abort.abort(new Error("gone"));
    last = one;
  }
  assert.equal(last?.kind, "failed");
  assert.deepEqual(await processesWith("cmdline", "sleep\u00004824"), []);
  assert.deepEqual(await readdir(folder), []);
});

test("a build that leaves a daemon behind ends, and the daemon with it", async (t) => {
  const { build } = await openAll(t);
  resultOf(await build({ "index.html": "x" }, { run: "(setsid sleep 4825 &); echo done" }));
  assert.deepEqual(await processesWith("cmdline", "sleep\u00004825"), []);
});

test("a build over its memory limit is ended and told so", async (t) => {
  const { build } = await openAll(t);
  const run = "node -e 'const eaten = []; setInterval(() => eaten.push(Buffer.alloc(4e7, 1)), 10)'";
  const error = errorOf(await build({ "index.html": "x" }, { run, memoryBytes: 200e6 }));
  assert.equal(error.code, "BUILD_LIMIT");
  assert.match(error.message, /memory/);
});

test("a build that fills its disk or makes too many files is ended, told so, and leaves nothing behind", async (t) => {
  const { build, folder } = await openAll(t, { diskBytes: 20e6, files: 300 });
  const cases = [
    ["while :; do head -c 1000000 /dev/zero >> a$((i = (i + 1) % 50)); done", /bytes of disk/],
    ["head -c 60000000 /dev/zero > large", /bytes of disk/],
    ["mkdir d; cd d; seq 1000 | xargs touch; sleep 60", /files/],
  ] as const;
  for (const [run, says] of cases) {
    const error = errorOf(await build({ "index.html": "x" }, { run }));
    assert.equal(error.code, "BUILD_LIMIT");
    assert.match(error.message, says);
  }
  assert.deepEqual(await readdir(folder), []);
});

test("a build whose result has a device, or a link to outside, is refused", async (t) => {
  const { build, artifacts } = await openAll(t);
  assert.equal(errorOf(await build({ "index.html": "x" }, { run: "mkfifo pipe" })).code, "ARCHIVE_UNSAFE");
  assert.equal(errorOf(await build({ "index.html": "x" }, { run: "ln -s /etc/passwd users" })).code, "ARCHIVE_UNSAFE");
  assert.deepEqual(artifacts.list(), []);
});

test("a build that prints without end lines and without end is shown in part, and its last words with its failure", async (t) => {
  const { build } = await openAll(t);
  const run = "head -c 3000000 /dev/zero | tr '\\0' x; echo; seq 30000; exit 1";
  const progress = await build({ "index.html": "x" }, { run });
  const output = outputOf(progress);
  assert.equal(output[0]?.length, 4_096);
  assert.equal(output.length, 20_001);
  assert.match(output.at(-1) ?? "", /10001 more lines are not shown/);
  assert.equal((errorOf(progress).details as { lines: string[] }).lines.at(-1), "30000");
});

test("a build knows nothing of the agent's environment and runs as another user where it can", async (t) => {
  const { build } = await openAll(t);
  process.env["DROVER_TEST_SECRET"] = "tell nobody";
  t.after(() => delete process.env["DROVER_TEST_SECRET"]);
  const output = outputOf(await build({ "index.html": "x" }, { run: "env; id -u" }));
  assert.ok(!output.some((line) => line.includes("tell nobody")));
  if (isRoot) assert.match(output.at(-1) ?? "", /^3900[01]$/);
});

test("dependencies without a lock file are refused, and so is a tool that this machine does not have", async (t) => {
  const { build } = await openAll(t);
  const app = { "package.json": JSON.stringify({ dependencies: { left: "1.0.0" } }), "server.js": "" };
  const noLock = errorOf(await build(app));
  assert.deepEqual([noLock.code, /lock file/.test(noLock.message)], ["BUILD_FAILED", true]);
  const noTool = errorOf(await build({ ...app, "pnpm-lock.yaml": "" }));
  assert.match(noTool.message, /pnpm-lock\.yaml, but this machine has no "pnpm"/);
});

test("a Procfile that is wrong is refused with its line", async (t) => {
  const { build } = await openAll(t);
  const error = errorOf(await build({ Procfile: "web: node x\nWorker: y\n" }));
  assert.match(error.message, /line 2 of the Procfile names a process "Worker"/);
});

test("the one folder of a repository's archive is taken for the source", async (t) => {
  const { build, artifacts } = await openAll(t);
  const result = resultOf(await build({ "app-4f2a/Procfile": "web: ./run", "app-4f2a/run": "#!/bin/sh\n" }));
  assert.deepEqual((await readdir(artifacts.folder(result.artifact))).sort(), ["Procfile", "run"]);
});

test("a Python app is installed into the artifact, where its processes find it", async (t) => {
  if (!(await hasPip())) return t.skip("this machine has no pip for every user");
  const { build, artifacts } = await openAll(t);
  const result = resultOf(
    await build({
      "requirements.txt": "--no-index\n--no-build-isolation\n./hello\n",
      "app.py": "import hello; print(hello.word)",
      "hello/pyproject.toml":
        '[project]\nname = "hello"\nversion = "1.0"\n[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[tool.setuptools]\npy-modules = ["hello"]\n',
      "hello/hello.py": 'word = "found"\n',
    }),
  );
  assert.deepEqual([result.kind, result.processes], ["python", { web: "python3 app.py" }]);
  const folder = artifacts.folder(result.artifact);
  const env = {
    ...buildEnvironment(process.env, isRoot),
    ...(await launchEnvironment(folder, {})),
    PATH: buildEnvironment(process.env, isRoot)["PATH"],
  };
  assert.equal(execFileSync("python3", ["app.py"], { cwd: folder, env, encoding: "utf8" }), "found\n");
});

test("a Go module becomes its program", async (t) => {
  if (!hasTool("go")) return t.skip("this machine has no Go");
  const { build, artifacts } = await openAll(t);
  const files = { "go.mod": "module example.com/hello\n\ngo 1.20\n", "main.go": 'package main\n\nfunc main() { println("hello") }\n' };
  const result = resultOf(await build(files));
  assert.deepEqual([result.kind, result.processes], ["go", { web: "./.drover/bin/web" }]);
  assert.ok((await readdir(join(artifacts.folder(result.artifact), ".drover", "bin"))).includes("web"));
});

test("a build held by a control group is ended when the kernel finds it over its memory limit", async (t) => {
  const cgroups = await openCgroups(`test-${process.pid}`, createLog({ print: () => {}, nowMs: () => 0 }));
  if (cgroups.support.limits.memory === null) return t.skip(cgroups.support.why);
  const { build } = await openAll(t, undefined, confineByCgroup(cgroups));
  const run = "(setsid sleep 4826 &); node -e 'Buffer.alloc(400e6, 1)'; exit 1";
  const error = errorOf(await build({ "index.html": "x" }, { run, memoryBytes: 150e6 }));
  assert.deepEqual([error.code, /memory/.test(error.message)], ["BUILD_LIMIT", true]);
  assert.deepEqual(await processesWith("cmdline", "sleep\u00004826"), []);
  assert.deepEqual(await cgroups.list(), []);
});

function hasTool(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`], { env: buildEnvironment(process.env, isRoot) }).status === 0;
}

async function hasPip(): Promise<boolean> {
  const env = buildEnvironment(process.env, isRoot);
  return spawnSync("python3", ["-c", "import pip, setuptools, wheel"], { env }).status === 0;
}
