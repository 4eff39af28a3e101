import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("static-server.mjs", import.meta.url));
let parent = "";
let port = 0;
let server: ReturnType<typeof spawn>;

before(async () => {
  parent = await mkdtemp(join(tmpdir(), "drover-static-"));
  const site = join(parent, "site");
  await mkdir(join(site, "sub"), { recursive: true });
  await mkdir(join(site, ".git"));
  const files = {
    "index.html": "<h1>home</h1>",
    "about.html": "about",
    "style.css": "p {}",
    "sub/index.html": "sub",
    "name with ü.txt": "0123456789",
    empty: "",
    ".env": "secret",
    ".git/config": "secret",
    "../secret.txt": "secret",
  };
  for (const [path, content] of Object.entries(files)) await writeFile(join(site, path), content);
  await symlink("../secret.txt", join(site, "link.txt"));
  await symlink("style.css", join(site, "inner.css"));
  server = spawn(process.execPath, [program, site], { env: { PORT: "0" }, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
  port = Number(/port (\d+)/.exec(String(line))?.[1]);
});

after(async () => {
  if (server.exitCode === null) {
    server.kill("SIGKILL");
    await once(server, "exit");
  }
  await rm(parent, { recursive: true, force: true });
});

async function get(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") {
  const call = request({ host: "127.0.0.1", port, path, method, headers, agent: false }).end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test("files come with their type, folders with their index, and pages without their extension", async () => {
  for (const [path, type, body] of [
    ["/", "text/html; charset=utf-8", "<h1>home</h1>"],
    ["/style.css?v=2", "text/css; charset=utf-8", "p {}"],
    ["/inner.css", "text/css; charset=utf-8", "p {}"],
    ["/sub/", "text/html; charset=utf-8", "sub"],
    ["/about", "text/html; charset=utf-8", "about"],
    ["/name%20with%20%C3%BC.txt", "text/plain; charset=utf-8", "0123456789"],
    ["/empty", "application/octet-stream", ""],
  ] as const) {
    const { status, headers, body: got } = await get(path);
    assert.deepEqual([status, headers["content-type"], got], [200, type, body], path);
  }
  const { status, headers } = await get("/sub?a=1");
  assert.deepEqual([status, headers.location], [308, "/sub/?a=1"]);
});

test("nothing outside of the site is served, however the path is written", async () => {
  for (const path of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/sub/..%5c..%5csecret.txt",
    "//secret.txt",
    "/sub//../../secret.txt",
    "/link.txt",
    "/.env",
    "/.git/config",
    "/%00",
    "/%zz",
    "/Procfile",
    "/nothing",
  ]) {
    const { status, body } = await get(path);
    assert.deepEqual([status, body.includes("secret")], [404, false], path);
  }
});

test("what a browser has already is not sent again", async () => {
  const { headers } = await get("/");
  assert.equal((await get("/", { "if-none-match": `"other", W/${headers.etag}` })).status, 304);
  assert.equal((await get("/", { "if-modified-since": headers["last-modified"] ?? "" })).status, 304);
  assert.equal((await get("/", { "if-none-match": '"other"', "if-modified-since": headers["last-modified"] ?? "" })).status, 200);
});

test("ranges give their part, and those that the file does not have are refused", async () => {
  const file = "/name%20with%20%C3%BC.txt";
  for (const [range, status, body] of [
    ["bytes=2-4", 206, "234"],
    ["bytes=7-", 206, "789"],
    ["bytes=-3", 206, "789"],
    ["bytes=0-99", 206, "0123456789"],
    ["bytes=0-1,4-5", 200, "0123456789"],
    ["lines=1-2", 200, "0123456789"],
  ] as const) {
    const got = await get(file, { range });
    assert.deepEqual([got.status, got.body], [status, body], range);
  }
  const { status, headers } = await get(file, { range: "bytes=10-" });
  assert.deepEqual([status, headers["content-range"]], [416, "bytes */10"]);
  assert.equal((await get(file, { range: "bytes=2-4", "if-range": '"older"' })).body, "0123456789");
});

test("HEAD has the headers alone, and other methods are refused", async () => {
  const { status, headers, body } = await get("/", {}, "HEAD");
  assert.deepEqual([status, headers["content-length"], body], [200, "13", ""]);
  assert.equal((await get("/", {}, "POST")).headers.allow, "GET, HEAD");
});

test("SIGTERM ends it", async () => {
  server.kill("SIGTERM");
  const [code] = await once(server, "exit");
  assert.equal(code, 0);
});
