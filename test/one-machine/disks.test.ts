import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import { hasCode } from "#model/errors.ts";
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
  // A server that the agent starts meanwhile holds the store for a moment.
  let look = { code: 0, output: "" };
  await drover.until("the named command shows what it would change", async () => {
    look = await shell(command);
    return !look.output.includes("[STORE_IN_USE]");
  });
  assert.equal(look.code, 2, look.output);
  assert.match(look.output, /^= 1 app stays as it is$/m);
  assert.match(look.output, /^0 of 1 instance would be stopped$/m);
  assert.match(look.output, /\[CONFIRMATION_NEEDED\]\nhint: .*--yes/);
  await drover.until("the named command restores the store", async () => (await shell(`${command} --yes`)).code === 0);
  await drover.ready();
  assert.equal(JSON.parse((await drover.get("web.default.localhost")).body).pid, pid, "the app ran on");
  await drover.apply(web(2));
});

test("a backup is restored over a whole store only after it was shown what that stops, and the apps that it keeps run on", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(web(1));
  await drover.run("down");
  await backUpStore(drover.home);
  await drover.up();
  await drover.apply(`${web(1)}---\napp: later\nrun: exec sleep 1000\nport: none\ninstances: 2\n`);
  await drover.run("down");
  const [backup] = await readdir(join(drover.home, "server", "backups"));
  const command = `drover server --home '${drover.home}' --restore '${join(drover.home, "server", "backups", backup ?? "")}'`;
  const look = await shell(command);
  assert.equal(look.code, 2, look.output);
  assert.match(look.output, /^- default\/later {2}is destroyed: it is not in the backup; release 1 with 2 instances now$/m);
  assert.match(look.output, /^2 of 3 instances would be stopped$/m);
  const restored = await shell(`${command} --yes`);
  assert.equal(restored.code, 0, restored.output);
  assert.match(restored.output, /^2 of 3 instances would be stopped$/m, "nothing was changed before");
  await drover.up();
  assert.doesNotMatch(await drover.run("apps"), /later/);
  await drover.until("the app of the backup serves", () => serves(drover));
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
  // What Drover writes meanwhile may leave less than that: full is full.
  await writeFile(filler, Buffer.alloc(bavail * bsize)).catch((error: unknown) => assert.ok(hasCode(error, "ENOSPC"), String(error)));
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

/** As a person would run it from the clone. */
async function shell(command: string): Promise<{ readonly code: number; readonly output: string }> {
  const env = { ...process.env, PATH: `${join(root, "bin")}:${process.env["PATH"]}` };
  const child = spawn("sh", ["-c", `exec 2>&1; ${command}`], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { code, output };
}

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
