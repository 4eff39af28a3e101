import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { nodeProcessesOf, root, TestDrover } from "../harness/drover.ts";
import { startLoad } from "../harness/load.ts";

const fixture = join(root, "test/fixtures/web.mjs");
const host = "web.default.localhost";
const manifest = (version: number) =>
  `app: web\nrun: exec node ${fixture}\ninstances: 2\nenv: { VERSION: "${version}" }\nready: { http: / }\nstop: { drain: 1s, grace: 2s }\n`;

interface Status {
  readonly health: string;
  readonly instances: readonly { readonly id: string; readonly pid: number; readonly ready: boolean; readonly restarts: number }[];
}

const statusOf = async (drover: TestDrover) => JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/web")).body) as Status;
const pidsOf = ({ instances }: Status) => instances.map(({ id, pid, restarts }) => `${id} ${pid} ${restarts}`).sort();

test("a server that stood still for seconds, as a paused virtual machine does, doubles nothing and ends its rollout", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(manifest(1));
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 50 });
  await drover.apply(manifest(2), "--detach");
  const server = await drover.pidOf("server");
  process.kill(server, "SIGSTOP");
  await delay(4_000);
  process.kill(server, "SIGCONT");
  await drover.apply(manifest(3));
  await drover.until("only the instances of the last release run", async () => {
    const { health, instances } = await statusOf(drover);
    const running = (await nodeProcessesOf(drover.home, fixture)).sort();
    return health === "ready" && instances.length === 2 && String(running) === String(instances.map(({ pid }) => pid).sort());
  });
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
});

const library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
  .map((folder) => join(folder, "faketime", "libfaketime.so.1"))
  .find(existsSync);

test("an agent's clock that jumps an hour ahead and two back restarts nothing and fails nothing", {
  skip: library === undefined ? "libfaketime is not on this machine" : false,
}, async () => {
  await using drover = await TestDrover.prepare();
  const clock = join(drover.home, "clock");
  await writeFile(clock, "+0\n");
  drover.launch([], {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
  });
  await drover.ready();
  await drover.apply(manifest(1));
  const before = pidsOf(await statusOf(drover));
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 50 });
  for (const jump of ["+3600", "-3600", "+0"]) {
    await writeFile(clock, `${jump}\n`);
    await delay(1_500);
    assert.deepEqual(pidsOf(await statusOf(drover)), before, `nothing was restarted at ${jump} s`);
  }
  await writeFile(clock, "-3600\n");
  await drover.apply(manifest(2));
  assert.equal((await statusOf(drover)).health, "ready");
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
  const stamps = [...drover.output.matchAll(/"at":"([^"]+)"/g)].map(([, at = ""]) => Date.parse(at));
  assert.ok(
    stamps.some((at) => at < Date.now() - 1_800_000),
    "the agent saw the other time",
  );
});

test("an app that floods its output while the agent is dead goes on, and its logs stay within their bound", async () => {
  await using drover = await TestDrover.start();
  const counter = join(drover.home, "lines");
  const run = `exec node ${await drover.file("flood.mjs", flood(counter), 0o644)}`;
  await writeFile(counter, "");
  await chmod(counter, 0o666);
  await drover.apply(`app: web\nrun: ${run}\nready: { http: / }\n`);
  const before = pidsOf(await statusOf(drover));
  await drover.kill("agent");
  const beats = async () => (await stat(counter)).size;
  const start = await beats();
  await drover.until("the app goes on without an agent", async () => (await beats()) > start + 20);
  await drover.up();
  await drover.until("the app is ready", async () => (await statusOf(drover)).health === "ready");
  assert.deepEqual(pidsOf(await statusOf(drover)), before);
  const again = await beats();
  await drover.until("the app goes on with the next agent", async () => (await beats()) > again + 20);
  assert.ok((await sizeOf(join(drover.home, "agent"))) < 512 * 2 ** 20, "the logs are bounded");
});

/** Prints without end, as fast as it may, serves, and leaves a mark now and then that it still runs. */
const flood = (counter: string) => `
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
createServer((_, answer) => answer.end("ok")).listen(Number(process.env.PORT), "127.0.0.1");
const text = Buffer.alloc(64 * 1024, "a line of the flood that never ends\\n");
const pour = () => process.stdout.write(text, () => setImmediate(pour));
pour();
setInterval(() => appendFileSync(${JSON.stringify(counter)}, "."), 50);
`;

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
