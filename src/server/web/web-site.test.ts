import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createLog } from "#host/log.ts";
import { createWebSite, type WebSite } from "./web-site.ts";

let folder: string;
let site: WebSite;
const log = createLog({ print: () => {}, nowMs: () => 0, least: "error" });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-web-"));
  site = createWebSite(join(folder, "web"), log, new AbortController().signal);
});
after(() => rm(folder, { recursive: true }));

test("the page allows nothing that is not its own: no inline script, no frame around it, no other host", async () => {
  const page = await site.answer("/", {});
  assert.equal(page?.status, 200);
  const policy = page.headers["content-security-policy"] ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[\w-]{22}'; /);
  for (const rule of ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"])
    assert.ok(policy.includes(rule), rule);
  assert.ok(!policy.includes("unsafe"));
  assert.equal(page.headers["x-content-type-options"], "nosniff");
  assert.equal(page.headers["referrer-policy"], "no-referrer");
  assert.equal(page.headers["cache-control"], "no-store");
  assert.doesNotMatch(String(page.body), /<script(?![^>]* src=)|<style| on\w+=/, "nothing inline");
  const again = await site.answer("/spaces/default/apps/web", {});
  assert.notEqual(again?.headers["content-security-policy"], policy, "each page has a nonce of its own");
});

test("every file that the page names is there, kept by browsers for ever, and smaller on the way", async () => {
  const page = String((await site.answer("/", {}))?.body);
  const paths = [...page.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, path]) => path as string);
  assert.equal(paths.length, 3);
  for (const path of paths) {
    const plain = await site.answer(path, {});
    const zipped = await site.answer(path, { "accept-encoding": "gzip, br" });
    assert.match(plain?.headers["cache-control"] ?? "", /immutable/);
    assert.equal(zipped?.headers["content-encoding"], "gzip");
    assert.deepEqual(gunzipSync(zipped?.body ?? ""), plain?.body);
  }
});

test("nothing but the pages' own files can be had", async () => {
  for (const path of [
    "/assets/index.json",
    "/assets/../index.json",
    "/assets/%2e%2e/token",
    "/assets/",
    "/assets/__proto__",
    "/assets/constructor",
  ])
    assert.equal(await site.answer(path, {}), null, path);
});

test("pages are bundled once for each state of the sources, and what is old goes", async () => {
  await site.answer("/", {});
  const [name, ...more] = await readdir(join(folder, "web"));
  assert.deepEqual(more, []);
  const before = await readdir(join(folder, "web", name ?? ""));
  await createWebSite(join(folder, "web"), log, new AbortController().signal).answer("/", {});
  assert.deepEqual(await readdir(join(folder, "web", name ?? "")), before);
});

test("the first page loads a fifth of the 250 kB that it may; what is large comes with the pages that need it", async () => {
  const page = String((await site.answer("/", {}))?.body);
  const [, first = ""] = /src="\/assets\/([^"]+)"/.exec(page) ?? [];
  const loaded = new Set([first]);
  let bytes = 0;
  for (const name of loaded) {
    const zipped = await site.answer(`/assets/${name}`, { "accept-encoding": "gzip" });
    bytes += zipped?.body.length ?? 0;
    const text = gunzipSync(zipped?.body ?? "").toString();
    // `import(…)` waits for somebody to go there; these do not.
    for (const [, chunk = ""] of text.matchAll(/(?:from|import)"\.\/([^"]+)"/g)) loaded.add(chunk);
  }
  assert.ok(loaded.size > 1, "it has parts that other pages share");
  assert.ok(bytes > 10_000 && bytes < 50_000, `${bytes} bytes`);
});
