import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import { backUp } from "../../src/server/store/backups.ts";
import { openSqliteStore } from "../../src/server/store/sqlite-store.ts";
import { root, TestDrover } from "../harness/drover.ts";

const web = (version: number, pad = "") =>
  `app: web\nrun: exec node ${join(root, "test/fixtures/web.mjs")}\nenv: { VERSION: "${version}", PAD: "${pad}" }\nready: { http: / }\nstop: { drain: 0s, grace: 2s }\n`;
const serves = async (drover: TestDrover) => (await drover.get("web.default.localhost")).status === 200;

test("a damaged store keeps the server down, in words, while apps and edge run on; the command that it names restores it", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(web(1));
  await drover.run("down");
  await backUpStore(drover.home);
  await damage(join(drover.home, "server", "store.db"));
  drover.launch();
  await drover.until("the app serves without a server", () => serves(drover));
  const told = await toldBy(drover, "STORE_DAMAGED");
  assert.match(told, /the server on .* cannot start: the store .* is damaged/);
  const command = /run: (drover server --home .* --restore .*)/.exec(told)?.[1] ?? assert.fail(told);
  const pid = JSON.parse((await drover.get("web.default.localhost")).body).pid;
  await drover.until("the named command restores the store", async () => {
    const child = spawn("sh", ["-c", command], { env: { ...process.env, PATH: `${join(root, "bin")}:${process.env["PATH"]}` } });
    return (await once(child, "exit"))[0] === 0;
  });
  await drover.ready();
  assert.equal(JSON.parse((await drover.get("web.default.localhost")).body).pid, pid, "the app ran on");
  await drover.apply(web(2));
});

test("a damaged event log is put aside, and everything else goes on", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(web(1));
  await drover.run("down");
  await damage(join(drover.home, "server", "events.db"));
  await drover.up();
  await drover.until("the app serves", () => serves(drover));
});

test("on a full disk deploys are refused in words, apps and reads go on, deleting works, and space brings everything back", {
  skip: process.getuid?.() === 0 ? false : "needs root, to mount a small disk",
}, async (t) => {
  const disk = await smallDisk(t, 128 * 2 ** 20);
  if (disk === null) return;
  const home = join(disk, "home");
  await mkdir(home);
  await using drover = await TestDrover.prepare({ home });
  await drover.up();
  await drover.apply(`${web(1)}---\napp: other\nrun: exec sleep 1000\nport: none\n`);
  const filler = join(home, "filler");
  const { bavail, bsize } = await statfs(home);
  await writeFile(filler, Buffer.alloc(bavail * bsize));
  let refusal = "";
  let version = 2;
  // The store's log may have room for some more changes.
  await drover.until("a deploy is refused", async () => {
    refusal = (await drover.cli(["apply", "-", "--detach"], { input: web(version++, "x".repeat(60_000)) })).stderr;
    return refusal !== "";
  });
  assert.match(refusal, /\[STORAGE_FULL\]/);
  assert.match(refusal, /^hint: /m);
  assert.ok(await serves(drover), "the app goes on");
  assert.match(await drover.run("ps"), /web/);
  await drover.run("destroy", "other", "--yes");
  await rm(filler);
  await drover.apply(web(version));
  await drover.until("the new release serves", async () => {
    return JSON.parse((await drover.get("web.default.localhost")).body).version === String(version);
  });
});

/** What `drover status` says once the server has failed with `code`. */
async function toldBy(drover: TestDrover, code: string): Promise<string> {
  let told = "";
  await drover.until(`status says ${code}`, async () => {
    told = (await drover.cli(["status"])).stderr;
    return told.includes(`[${code}]`);
  });
  return told;
}

async function backUpStore(home: string): Promise<void> {
  const folder = join(home, "server");
  const log = createLog({ print: () => {}, nowMs: Date.now });
  const store = await openSqliteStore({ folder, log, fatal: assert.ifError, random: Math.random });
  await backUp(store, join(folder, "backups"));
  await store.close();
}

/** Flips bytes all over the file, as a bad disk does. */
async function damage(file: string): Promise<void> {
  await using handle = await open(file, "r+");
  const { size } = await handle.stat();
  for (let at = 200; at < size; at += 1_000) {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    await handle.write(Buffer.from([byte.readUInt8() ^ 0xff]), 0, 1, at);
  }
}

async function smallDisk(context: TestContext, sizeBytes: number): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), "drover-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", folder], { encoding: "utf8" });
  context.after(async () => {
    spawnSync("umount", ["-l", folder]);
    await rm(folder, { recursive: true, force: true });
  });
  if (mounted.status === 0) return folder;
  context.skip(`no small disk can be mounted here: ${mounted.stderr.trim()}`);
  return null;
}
