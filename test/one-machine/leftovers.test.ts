import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { processesOf, root, TestDrover } from "../harness/drover.ts";

const fixture = join(root, "test/fixtures/web.mjs");

for (const { what, flag } of [
  { what: "the API", flag: "--api" },
  { what: "the edge", flag: "--http" },
] as const) {
  test(`a port of ${what} that a stranger holds is refused with the stranger's name, before anything starts`, async () => {
    await using drover = await TestDrover.prepare();
    const stranger = createServer().listen(flag === "--api" ? drover.apiPort : drover.edgePort, "127.0.0.1");
    await once(stranger, "listening");
    try {
      const agent = drover.launch();
      assert.deepEqual(await once(agent, "exit"), [2, null]);
      assert.match(drover.output, new RegExp(`${what} cannot listen .*process ${process.pid} .*\\[PORT_IN_USE\\]`));
      assert.match(drover.output, new RegExp(`hint: .*${flag}`));
      assert.deepEqual(await processesOf(drover.home), [], "nothing was started");
      assert.ok(!existsSync(join(drover.home, "server", "store.db")), "nothing was made");
    } finally {
      stranger.close();
    }
  });
}

test("a port that the edge could not open is a problem that drover status names", async () => {
  await using drover = await TestDrover.start();
  const app = (name: string, more: string) => `app: ${name}\nrun: exec node ${fixture}\nready: { http: / }\n${more}`;
  await drover.apply(`${app("billing", "")}---\n${app("shop", "needs: [billing]\n")}`);
  const port = Number(/:(\d+)/.exec(await drover.run("exec", "shop", "--", "printenv", "BILLING_URL"))?.[1]);
  await drover.run("down");
  const stranger = createServer().listen(port, "127.0.0.1");
  await once(stranger, "listening");
  try {
    drover.launch();
    await drover.until("status names the port", async () => {
      const { code, stdout } = await drover.cli(["status"]);
      return code === 4 && new RegExp(`cannot listen on port ${port} .*\\[PORT_IN_USE\\]`).test(stdout);
    });
  } finally {
    stranger.close();
  }
  await drover.until("the port is opened once it is free", async () => (await drover.cli(["status"])).code === 0);
});

test("drover down ends everything although the agent was killed, keeps the state, and the next start brings it back", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(`app: web\nrun: exec node ${fixture}\ninstances: 2\nready: { http: / }\n`);
  await drover.kill("agent");
  assert.equal((await drover.get("web.default.localhost")).status, 200, "everything but the agent runs on");
  assert.match(await drover.run("down"), /^stopped Drover and its apps/);
  assert.deepEqual(await processesOf(drover.home), []);
  assert.match(await drover.run("down"), /^no Drover runs/);
  await drover.up();
  await drover.until("the app serves again", async () => (await drover.get("web.default.localhost")).status === 200);
});

test("drover down leaves no control group behind", async (t) => {
  await using drover = await TestDrover.start();
  const key = createHash("sha256").update(drover.home).digest("hex").slice(0, 8);
  if (groupsNamed(`drover-${key}`).length === 0) return t.skip("no control groups are made here, or not at the top");
  await drover.apply("app: idle\nrun: exec sleep 1000\nport: none\n");
  await drover.run("down");
  assert.deepEqual(groupsNamed(`drover-${key}`), []);
  return undefined;
});

function groupsNamed(name: string): string[] {
  const top = "/sys/fs/cgroup";
  if (!existsSync(top)) return [];
  return [top, ...readdirSync(top).map((controller) => join(top, controller))].map((folder) => join(folder, name)).filter(existsSync);
}
