import assert from "node:assert/strict";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "#host/log.ts";
import { backUp } from "../../src/server/store/backups.ts";
import { openSqliteStore } from "../../src/server/store/sqlite-store.ts";
import { root, TestDrover } from "../harness/drover.ts";

const app = (name: string, version: number, count = 1) =>
  `app: ${name}\nprocesses: { web: { run: "exec node ${join(root, "test/fixtures/web.mjs")}", instances: ${count}, ready: { http: / } } }\nenv: { VERSION: "${version}" }\nstop: { drain: 0s, grace: 2s }\n`;

test("a server whose disk is lost and that has yesterday's backup ends nothing that it does not know, says so, and people decide", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(`${app("web", 1)}---\n${app("steady", 1)}`);
  await drover.run("down");
  await backUpStore(drover.home);
  await drover.up();
  await drover.apply(app("web", 2));
  await drover.apply(`${app("web", 3, 2)}---\n${app("later", 1)}`);
  const later = await pidsOf(drover, "later", 1);
  const web = await pidsOf(drover, "web", 2);
  const steady = await pidsOf(drover, "steady", 1);

  await drover.kill("agent");
  await drover.kill("server");
  const folder = join(drover.home, "server");
  const [backup = ""] = await readdir(join(folder, "backups"));
  for (const name of await readdir(folder)) if (name.startsWith("store.")) await rm(join(folder, name));
  const restored = await drover.cli(["server", "--restore", join(folder, "backups", backup)]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match(restored.stdout, /goes on until you decide about it: "drover restore ls"/);
  await drover.up();

  await drover.until("the server has heard what runs", async () => (await drover.run("restore", "ls")).includes("default/"));
  assert.match(
    await drover.run("restore", "ls"),
    /^default\/later runs release 1 with 1 instance, and the restored state does not have it$/m,
  );
  assert.match(await drover.run("restore", "ls"), /^default\/web runs release 3 with 2 instances, and the restored state knows up to 1$/m);
  assert.match(await drover.status(), /default\/web runs release 3.*\[AHEAD_OF_RESTORE\]/);
  assert.match((await drover.cli(["why", "web"])).stdout, /waits for a decision, because it runs release 3 with 2 instances/);
  assert.doesNotMatch(await drover.run("restore", "ls"), /steady/);
  // The edge has had a table of this server by now: it knows the app that both agree about.
  await drover.until("the edge is linked to this server", async () => /revision/.test(await drover.status()));
  assert.deepEqual(await pidsOf(drover, "later", 1), later, "what the state does not know runs, and is reached");
  assert.deepEqual(await pidsOf(drover, "web", 2), web, "what is newer than the state runs, and is reached");
  assert.deepEqual(await pidsOf(drover, "steady", 1), steady);

  await drover.apply(app("web", 4, 2));
  assert.match(await drover.run("releases", "web"), /^ *\*? *4 /m, "its number is one that nobody had");
  await drover.until("the new release serves", async () => (await answer(drover, "web")).version === "4");
  assert.deepEqual(await pidsOf(drover, "later", 1), later);
  const unsure = await drover.cli(["restore", "discard", "later"]);
  assert.match(unsure.stderr, /\[CONFIRMATION_NEEDED\]/);
  await drover.run("restore", "discard", "later", "--yes");
  await drover.until("what is discarded ends", async () => (await drover.get("later.default.localhost")).status === 404);
  assert.match(await drover.run("restore", "ls"), /nothing waits for a decision/);
  assert.match(await drover.run("events"), /restore\.discarded/);
});

async function answer(drover: TestDrover, name: string): Promise<{ readonly pid: number; readonly version: string }> {
  const { status, body } = await drover.get(`${name}.default.localhost`);
  return status === 200 ? JSON.parse(body) : { pid: 0, version: "" };
}

/** The processes that serve the app, once there are so many. */
async function pidsOf(drover: TestDrover, name: string, count: number): Promise<readonly number[]> {
  const pids = new Set<number>();
  await drover.until(`${count} of ${name} serve`, async () => {
    const { pid } = await answer(drover, name);
    if (pid !== 0) pids.add(pid);
    return pids.size >= count;
  });
  return [...pids].sort();
}

async function backUpStore(home: string): Promise<void> {
  const folder = join(home, "server");
  const log = createLog({ print: () => {}, nowMs: Date.now });
  const store = await openSqliteStore({ folder, log, fatal: assert.ifError, random: Math.random });
  await backUp(store, join(folder, "backups"));
  await store.close();
}
