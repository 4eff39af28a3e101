import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readTextIfThere } from "#host/files.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { startLoad } from "../harness/load.ts";

const web = `exec node ${join(root, "test/fixtures/web.mjs")}`;
const manifest = (version: number) => `
app: web
run: ${web}
instances: 2
env: { VERSION: "${version}" }
ready: { http: / }
stop: { drain: 8s, grace: 5s }
`;
const host = "web.default.localhost";
const skip = programOnPath("haproxy") === null && "HAProxy is not installed; nothing was tested of Drover with it as the router";

/** The HAProxy that serves now. */
async function haproxyOf(drover: TestDrover): Promise<number> {
  const running = JSON.parse(await readFile(join(drover.home, "run", "haproxy", "running.json"), "utf8")) as { readonly pid: number }[];
  return running.at(-1)?.pid ?? 0;
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readTextIfThere(`/proc/${pid}/stat`);
  // One that nobody has waited for is gone already.
  return stat !== null && !/\) Z /.test(stat);
}

test("with HAProxy as the router deploys under load fail no request, and nothing of it is left in the end", { skip }, async () => {
  let pid = 0;
  {
    await using drover = await TestDrover.start({ args: ["--router", "haproxy"] });
    await drover.apply(manifest(0));
    await using load = startLoad({ port: drover.edgePort, host, perSecond: 100 });
    for (let version = 1; version <= 3; version++) {
      await drover.apply(manifest(version));
      // Ready means that the instances are; the last of the old ones leave the table a moment later.
      await drover.until("the deployed version answers", async () => {
        return JSON.parse((await drover.get(host)).body).version === String(version);
      });
    }
    const { sent, answered, failures } = await load.stop();
    assert.deepEqual(failures, []);
    assert.equal(answered, sent);
    pid = await haproxyOf(drover);
    assert.ok(pid > 0);
  }
  assert.equal(await isAlive(pid), false, "HAProxy ended with Drover");
});

test("an edge that is killed with HAProxy as its router is back with the same routes", { skip }, async () => {
  await using drover = await TestDrover.start({ args: ["--router", "haproxy"] });
  await drover.apply(manifest(1));
  const before = await haproxyOf(drover);
  process.kill(await drover.pidOf("edge"), "SIGKILL");
  await drover.until("another HAProxy answers", async () => {
    const { status } = await drover.get(host);
    return status === 200 && (await haproxyOf(drover)) !== before;
  });
});
