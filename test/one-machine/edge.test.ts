import assert from "node:assert/strict";
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "#host/testing/free-ports.ts";
import { nodeProcessesOf, root, TestDrover } from "../harness/drover.ts";
import { startLoad } from "../harness/load.ts";
import { startDatagrams, startQuestions } from "../harness/questions.ts";
import { EchoSocket } from "../harness/sockets.ts";

const fixture = join(root, "test/fixtures/web.mjs");
const host = "web.default.localhost";

async function withApp(args: readonly string[] = []): Promise<TestDrover> {
  const drover = await TestDrover.start({ args });
  await drover.apply(
    `app: web\nrun: exec node ${fixture}\ninstances: 2\nenv: { SLOW_MS: "1500" }\nready: { http: / }\nstop: { drain: 60s }\n`,
  );
  return drover;
}

const edges = (drover: TestDrover) => nodeProcessesOf(drover.home, "src/edge/main.ts");

/** Another version of Drover, in another folder. */
async function nextVersion(drover: TestDrover): Promise<string> {
  const folder = join(drover.home, "next");
  for (const part of ["bin", "src", "package.json"]) await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const description = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ ...description, version: "99.0.0" }));
  return join(folder, "bin", "drover");
}

test("an upgrade takes over the edge's ports without a failed request or question of DNS, and leaves what is open to the old edge", async () => {
  const dns = await freePort();
  await using drover = await withApp(["--dns", `127.0.0.1:${dns}`]);
  const bin = await nextVersion(drover);
  const [before] = await edges(drover);
  const socket = new EchoSocket(drover.edgePort, host);
  await socket.opened;
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 200, slowEvery: 20 });
  await using questions = startQuestions(dns, "web.default.drover", 100);
  await socket.echo("before");

  await drover.kill("agent");
  drover.launch(["--dns", `127.0.0.1:${dns}`], {}, bin);
  await drover.ready();
  await drover.until(
    "the edge of the next version runs",
    async () => (await nodeProcessesOf(drover.home, "next/src/edge/main.ts")).length === 1,
  );
  await socket.echo("after");
  assert.ok((await edges(drover)).includes(before ?? 0), "the old edge keeps its connection");
  socket.close();
  await drover.until("the old edge has ended", async () => !(await edges(drover)).includes(before ?? 0));
  const { failures, answered } = await load.stop();
  assert.deepEqual(failures, []);
  assert.ok(answered > 0);
  assert.deepEqual((await questions.stop()).failures, []);
});

test("an edge that is killed loses nothing: its workers finish what they have, and what comes meanwhile waits for the next ones", async () => {
  await using drover = await withApp();
  const [before] = await edges(drover);
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 200, slowEvery: 20 });
  await drover.kill("edge");
  await drover.until("another edge runs", async () => (await edges(drover)).some((pid) => pid !== before));
  const answers = await Promise.all(Array.from({ length: 20 }, () => drover.get(host)));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.deepEqual((await load.stop()).failures, []);
});

test("a deploy and a scale while an edge hands over to the next one fail no request", async () => {
  await using drover = await withApp();
  // Of an app of its own: an instance with a WebSocket is not stopped before that is over.
  await drover.apply(`app: chat\nrun: exec node ${fixture}\n`);
  const [before] = await edges(drover);
  const socket = new EchoSocket(drover.edgePort, "chat.default.localhost");
  await socket.opened;
  await socket.echo("before");
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 100, slowEvery: 20 });
  assert.match(await drover.run("edge", "restart"), /^restarted the edge on /);
  assert.ok((await edges(drover)).includes(before ?? 0), "the old edge is leaving: it has a WebSocket open");
  await drover.run("scale", "web", "3");
  await drover.run("restart", "web");
  await drover.run("scale", "web", "1");
  assert.deepEqual((await load.stop()).failures, []);
  socket.close();
  await drover.until("the old edge has ended", async () => !(await edges(drover)).includes(before ?? 0));
});

test("a worker that is killed under load fails no request that was begun after it", async () => {
  await using drover = await withApp();
  const [killed = 0] = await nodeProcessesOf(drover.home, "src/edge/workers/main.ts");
  // On connections of their own: what a client sends on one that has just died is in flight too.
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 100, slowEvery: 5, keepAlive: false });
  await drover.until("slow ones are in flight", async () => load.sent() > 100);
  const killedAtMs = performance.now();
  process.kill(killed, "SIGKILL");
  const before = load.sent();
  await drover.until("the load went on", async () => load.sent() > before + 100);
  const { failures, failedFromMs } = await load.stop();
  assert.deepEqual(
    failures.filter((_, i) => (failedFromMs[i] ?? 0) > killedAtMs),
    [],
  );
  assert.ok(failures.length < before, `${failures.length} of the ${before} requests before it were in flight`);
});

test("a worker that is killed loses its own requests alone", async () => {
  await using drover = await withApp();
  const workers = () => nodeProcessesOf(drover.home, "src/edge/workers/main.ts");
  const before = await workers();
  const killed = before[0] ?? 0;
  process.kill(killed, "SIGKILL");
  const answers = await Promise.all(Array.from({ length: 20 }, () => drover.get(host)));
  assert.ok(answers.every(({ status }) => status === 200));
  await drover.until("another worker has its place", async () => {
    const now = await workers();
    return now.length === before.length && !now.includes(killed);
  });
});

test("a service address refuses nobody while the edge is replaced, nor after it is killed", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(`app: api\nprocesses: { web: { run: exec node ${fixture}, instances: 2, address: always, ready: { http: / } } }\n`);
  const { processes } = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/api")).body);
  // Each request on a connection of its own: the address has to be open at every moment.
  await using load = startLoad({ port: processes[0].servicePort, host: "api", perSecond: 200, keepAlive: false });
  await drover.run("edge", "restart");
  const [before] = await edges(drover);
  await drover.kill("edge");
  await drover.until("another edge runs", async () => (await edges(drover)).some((pid) => pid !== before));
  await drover.ready();
  await drover.run("edge", "restart");
  const sent = load.sent();
  await drover.until("the load went on", async () => load.sent() > sent + 100);
  assert.deepEqual((await load.stop()).failures, []);
});

test("a UDP port loses no datagram while the edge is replaced, and of a worker that is killed only what it had", async () => {
  const port = await freePort();
  await using drover = await TestDrover.start();
  const run = `exec node ${join(root, "test/fixtures/datagrams.mjs")}`;
  await drover.apply(`app: echo\nprocesses: { web: { run: ${run}, instances: 2 } }\nroutes: [{ port: ${port}, protocol: udp, to: web }]\n`);
  const workers = () => nodeProcessesOf(drover.home, "src/edge/workers/main.ts");
  const old = await workers();
  {
    await using load = startDatagrams(port, 200);
    await drover.until("the load runs", async () => load.sent() > 50);
    await drover.run("edge", "restart");
    const sent = load.sent();
    await drover.until("the load went on", async () => load.sent() > sent + 50);
    assert.deepEqual((await load.stop()).failures, []);
  }
  await drover.until("the old workers have ended", async () => !(await workers()).some((pid) => old.includes(pid)));
  const [killed = 0, ...others] = await workers();
  // With one core there is one worker, and nobody to take what comes until there is another.
  if (others.length === 0) return;
  await using load = startDatagrams(port, 200);
  await drover.until("the load runs", async () => load.sent() > 50);
  process.kill(killed, "SIGKILL");
  await drover.until("the worker is gone", async () => !(await workers()).includes(killed));
  const goneAtMs = performance.now();
  const sent = load.sent();
  await drover.until("the load went on", async () => load.sent() > sent + 100);
  const { failures, failedFromMs } = await load.stop();
  assert.deepEqual(
    failures.filter((_, i) => (failedFromMs[i] ?? 0) > goneAtMs),
    [],
  );
});
