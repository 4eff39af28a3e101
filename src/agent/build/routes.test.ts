import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { acceptLinks } from "#link/accept.ts";
import type { Link } from "#link/caller.ts";
import { serveLink } from "#link/serve.ts";
import type { BuildProgress, BuildResult } from "#model/build.ts";
import { hasCode } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { artifactRoutes } from "../artifacts/routes.ts";
import { openArtifactStore } from "../artifacts/store.ts";
import { openBuilder } from "./builder.ts";
import { confineByProc } from "./confinement.ts";
import { buildEnvironment } from "./environment.ts";
import { buildRoutes } from "./routes.ts";

const { signal } = new AbortController();
const options = encodeURIComponent(JSON.stringify({ space: "test", app: "app", run: null, timeoutMs: 30_000, memoryBytes: 2 ** 30 }));

/** An agent with these routes alone, as the server sees it. */
async function openLink(t: TestContext): Promise<{ link: Link; root: string }> {
  const root = await mkdtemp(join(tmpdir(), "drover-routes-"));
  await chmod(root, 0o711);
  const log = createLog({ print: () => {}, nowMs: () => 0 });
  const artifacts = await openArtifactStore({ folder: join(root, "artifacts"), isUsed: () => false, clock: systemClock, log });
  const builder = await openBuilder({
    folder: join(root, "builds"),
    artifacts,
    environment: buildEnvironment(process.env, false),
    firstUid: null,
    confine: confineByProc,
    clock: systemClock,
    log,
  });
  const listener = createServer();
  const stop = new AbortController();
  const socketPath = join(root, "link.sock");
  const linked = Promise.withResolvers<Link>();
  acceptLinks({ listener, installation: "test", fence: { epoch: 1, term: 1 }, log, onLink: linked.resolve }, stop.signal);
  await new Promise<void>((resolve) => listener.listen(socketPath, resolve));
  const serving = serveLink(
    {
      connect: () => new Promise<Socket>((resolve) => resolve(connect(socketPath))),
      hello: () => ({ role: "agent", machine: "here" as MachineId, installation: null }),
      admit: async () => {},
      routes: { ...artifactRoutes(artifacts), ...buildRoutes(builder) },
      clock: systemClock,
      random: Math.random,
      log,
    },
    stop.signal,
  );
  t.after(async () => {
    stop.abort();
    await serving;
    listener.close();
    await rm(root, { recursive: true, force: true });
  });
  return { link: await linked.promise, root };
}

async function tarOf(root: string, files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const folder = await mkdtemp(join(root, "source-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return execFileSync("tar", ["-c", "-C", folder, "."], { maxBuffer: 2 ** 28 });
}

/** As a file or a socket gives them. */
function pieces(bytes: Buffer): Readable {
  return Readable.from(Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) => bytes.subarray(i * 65_536, (i + 1) * 65_536)));
}

async function build(link: Link, source: Buffer): Promise<BuildProgress[]> {
  const progress: BuildProgress[] = [];
  for await (const one of link.lines("POST", `/builds?options=${options}`, signal, { upload: pieces(source) }))
    progress.push(one as BuildProgress);
  return progress;
}

test("the server builds over the link, moves the artifact, and deletes it", async (t) => {
  const { link, root } = await openLink(t);
  const last = (await build(link, await tarOf(root, { "index.html": "hello" }))).at(-1) as { readonly result: BuildResult };
  const path = `/artifacts/${last.result.artifact}`;
  assert.equal(await link.call("HEAD", path, signal), null);
  const tar = await buffer(await link.bytes("GET", path, signal));
  const { artifacts } = (await link.call("GET", "/artifacts", signal)) as { artifacts: { digest: string }[] };
  assert.deepEqual(
    artifacts.map(({ digest }) => digest),
    [last.result.artifact],
  );
  await link.call("DELETE", path, signal);
  await assert.rejects(link.call("GET", path, signal), (error) => hasCode(error, "ARTIFACT_NOT_FOUND"));
  await link.call("PUT", path, signal, { upload: Readable.from([tar]) });
  assert.equal(await link.call("HEAD", path, signal), null);
});

test("a refused upload is answered although most of it was not read, and the link stays usable", async (t) => {
  const { link, root } = await openLink(t);
  const large = await tarOf(root, { "a.bin": randomBytes(30 * 2 ** 20) });
  const evil = Buffer.from(large);
  // The first header's checksum no longer fits.
  evil[0] = (evil[0] as number) ^ 1;
  const digest = `sha256:${"0".repeat(64)}`;
  await assert.rejects(link.call("PUT", `/artifacts/${digest}`, signal, { upload: pieces(evil) }), (error) =>
    hasCode(error, "ARCHIVE_INVALID"),
  );
  const progress = await build(link, evil);
  assert.equal(progress.at(-1)?.kind, "failed");
  await assert.rejects(link.call("PUT", `/artifacts/${digest}`, signal, { upload: pieces(large) }), (error) =>
    hasCode(error, "DIGEST_MISMATCH"),
  );
  assert.deepEqual(await readdir(join(root, "artifacts", ".incoming")), []);
});

test("options and digests that do not fit are refused", async (t) => {
  const { link } = await openLink(t);
  const upload = () => Readable.from([Buffer.alloc(1_024)]);
  await assert.rejects(link.call("POST", "/builds?options=%7B%7D", signal, { upload: upload() }), (error) =>
    hasCode(error, "REQUEST_INVALID"),
  );
  await assert.rejects(link.call("PUT", "/artifacts/..%2F..%2Fx", signal, { upload: upload() }), (error) =>
    hasCode(error, "REQUEST_INVALID"),
  );
});
