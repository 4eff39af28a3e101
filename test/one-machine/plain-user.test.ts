import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root, TestDrover } from "../harness/drover.ts";

const fixture = join(root, "test/fixtures/web.mjs");
/** Whoever it is on a machine: nobody. */
const nobody = 65_534;

test("a user without any privilege gets the whole of it, and is told which isolation does not hold", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("not root: every other test runs as a plain user already");
  if (!(await isOpenToAll(root))) return t.skip("other users cannot read this checkout");
  await using drover = await TestDrover.prepare({ user: nobody });
  await drover.up();
  await drover.apply(`app: web\nrun: exec node ${fixture}\ninstances: 2\nready: { http: / }\n`);
  assert.equal((await drover.get("web.default.localhost")).status, 200);
  const [machine] = JSON.parse((await drover.api("GET", "/v1/machines")).body).machines;
  assert.equal(machine.isolation.uid.holds, false);
  assert.match(await drover.status(), /without isolation of .*uid/);
  assert.match(await drover.run("exec", "web", "--", "id", "-u"), new RegExp(`^${nobody}`));
  await drover.kill("agent");
  await drover.up();
  await drover.until("the app serves on", async () => (await drover.get("web.default.localhost")).status === 200);
  await drover.run("destroy", "web", "--yes");
  await drover.run("down");
  return undefined;
});

async function isOpenToAll(folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    if (((await stat(path)).mode & 0o005) !== 0o005) return false;
    if (path === dirname(path)) return true;
  }
}

test("nothing that an app runs gives it more rights than it has", async (t) => {
  if (programOnPath("setpriv") === null) return t.skip("setpriv is not here: that apps gain no rights was not tested");
  await using drover = await TestDrover.start();
  await drover.apply("app: idle\nrun: grep NoNewPrivs /proc/self/status; exec sleep 1000\nport: none\n");
  await drover.until("it says so", async () => /NoNewPrivs:\s+1/.test(await drover.run("logs", "idle")));
  const [machine] = JSON.parse((await drover.api("GET", "/v1/machines")).body).machines;
  assert.equal(machine.isolation.privileges.holds, true);
  return undefined;
});
