import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type FakeRoutes, FakeServer } from "./testing/fake-server.ts";
import { plannedChange } from "./testing/views.ts";

const artifact = `sha256:${"a".repeat(64)}`;
const result = { artifact, sizeBytes: 1, files: 1, kind: "static", processes: { web: "serve" }, cached: true };
const change = plannedChange({ source: ".", name: "site", space: "default", file: "drover.yaml" });
const deployed: FakeRoutes = {
  "POST /v1/plan": { json: { space: "default", revision: 1, changes: [change] } },
  "POST /v1/apply": { json: { plan: { space: "default", revision: 1, changes: [change] }, releases: [], revision: 2 } },
};
const built: FakeRoutes = { "POST /v1/builds": { lines: [{ kind: "done", result: { ...result, cached: false } }] } };

async function push(routes: FakeRoutes, source: string, ...more: string[]) {
  await using fake = await FakeServer.start({ ...deployed, ...routes });
  await mkdir(join(fake.home, "site"));
  await writeFile(join(fake.home, "site", "index.html"), "hello");
  const finished = await fake.run(["push", source, "--app", "site", "--detach", ...more]);
  assert.equal(finished.code, 0, finished.stderr);
  const bodyOf = (path: string) => fake.requests.find((one) => one.path === path);
  const applied = (bodyOf("/v1/apply") ?? assert.fail("nothing was applied")).body as { readonly artifacts: unknown };
  assert.deepEqual(applied.artifacts, { site: artifact });
  return { asked: bodyOf("/v1/builds/known")?.query["archive"], sent: bodyOf("/v1/builds")?.bytes ?? null, stderr: finished.stderr };
}

test("what the server knows by its digest is not sent", async () => {
  const { sent, stderr } = await push({ "POST /v1/builds/known": { json: { result } } }, "site");
  assert.equal(sent, null);
  assert.match(stderr, /default\/site {2}unchanged/);
});

test("what the server does not know is sent, and it was asked for by the digest of what is sent", async () => {
  const { asked, sent } = await push({ ...built, "POST /v1/builds/known": { json: { result: null } } }, "site");
  assert.equal(
    asked,
    `sha256:${createHash("sha256")
      .update(sent ?? "")
      .digest("hex")}`,
  );
});

test("a server that cannot be asked yet gets what is to be built", async () => {
  const { sent } = await push(built, "site");
  assert.ok((sent?.length ?? 0) > 0);
});

test("an archive from a URL that the server knows is not even downloaded", async () => {
  const known: FakeRoutes = { "POST /v1/builds/known": { json: { result } } };
  const { asked } = await push(known, "http://127.0.0.1:9/site.tgz", "--sha256", "1".repeat(64));
  assert.equal(asked, `sha256:${"1".repeat(64)}`);
});
