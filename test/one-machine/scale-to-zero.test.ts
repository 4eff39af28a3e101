import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { root, TestDrover } from "../harness/drover.ts";

test("what nobody asks for has no instances, and the first requests start one and are answered by it; what nothing could wake is refused", async () => {
  await using drover = await TestDrover.start();
  const [port] = await freePorts(1);
  const run = `exec node ${join(root, "test/fixtures/web.mjs")}`;
  const scale = "scale: { min: 0, max: 2, idle_after: 1s, down_after: 1s }";
  await drover.apply(`app: shop\nrun: ${run}\n${scale}\nroutes: [{ host: shop.default.localhost }, { port: ${port}, protocol: tcp }]\n`);
  const scaling = async () => JSON.parse(await drover.run("scale", "shop", "--json")).processes[0];
  await drover.until("nobody asked for it, and it has no instances", async () => (await scaling()).wanted === 0);
  assert.match((await scaling()).because, /nobody ask(ed|s) for it/);
  await drover.until("the last one is gone", async () => JSON.parse(await drover.run("ps", "shop", "--json")).instances.length === 0);

  assert.match(await drover.run("why", "shop"), /the first request starts one +\[ASLEEP\]/);
  // Some by the port of their own, which any protocol could be spoken at.
  const byPort = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    return { status: answer.status, body: await answer.text() };
  };
  const byHost = () => drover.get("shop.default.localhost", "/");
  const answers = await Promise.all([byHost, byHost, byHost, byPort, byPort].map((ask) => ask()));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(new Set(answers.map(({ body }) => JSON.parse(body).instance)).size, 1, "one instance answers all that waited");
  assert.match(await drover.run("events", "shop"), /is scaled from 0 to 1: a request waits for it/);

  const silent = await drover.cli([
    "apply",
    await drover.file("none.yaml", `app: worker\nprocesses: { job: { run: sleep 1000, ${scale} } }\n`),
  ]);
  assert.equal(silent.code, 2);
  assert.match(silent.stderr, /at least 1, because the process has no port/);
});
