import assert from "node:assert/strict";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { request, root, TestDrover } from "../harness/drover.ts";

const run = `exec node ${join(root, "test/fixtures/web.mjs")}`;

test("a service address is open while an app needs it or its own app wants it to be, and two Drovers do not meet there", async () => {
  await using drover = await TestDrover.start();
  await using other = await TestDrover.start();
  const api = (more: string) => `app: api\nprocesses: { web: { run: ${run}, ready: { http: / }${more} } }\n`;
  const web = `app: web\nrun: ${run}\nready: { http: / }\nneeds: [api]\n`;
  const addressOf = async (of: TestDrover) => {
    const { body } = await of.api("GET", "/v1/spaces/default/apps/api");
    return JSON.parse(body).processes[0].servicePort as number | null;
  };
  const listens = async (port: number) => {
    const socket = net.connect(port, "127.0.0.1");
    const isOpen = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    return isOpen;
  };
  const answers = async (port: number) => (await request({ port, method: "GET", path: "/", headers: { host: "x" } })).status === 200;

  await Promise.all([drover.apply(api("")), other.apply(api(", address: always"))]);
  assert.equal(await addressOf(drover), null);
  const always = await addressOf(other);
  assert.ok(always !== null && (await answers(always)));

  await drover.apply(web);
  const needed = await addressOf(drover);
  assert.ok(needed !== null && needed !== always && (await answers(needed)));
  assert.match(await drover.run("exec", "web", "--", "printenv", "API_URL"), new RegExp(`:${needed}$`, "m"));

  await drover.run("destroy", "web", "--yes");
  await drover.until("the address is closed", async () => (await addressOf(drover)) === null && !(await listens(needed)));
  assert.equal((await drover.get("api.default.localhost")).status, 200, "its own app runs on");
});
