import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root, TestDrover } from "../harness/drover.ts";

interface Scaling {
  readonly process: string;
  readonly wanted: number;
  readonly needed: number | null;
  readonly because: string | null;
  readonly held: string | null;
}

let drover: TestDrover;
before(async () => {
  drover = await TestDrover.start();
});
after(() => drover[Symbol.asyncDispose]());

const scalingOf = async (app: string): Promise<Scaling> => JSON.parse(await drover.run("scale", app, "--json")).processes[0];

test("a process follows its load: more instances under requests, fewer without, each step explained; by hand it is not scaled", async () => {
  const run = `exec node ${join(root, "test/fixtures/breakable.mjs")}`;
  await drover.apply(`app: shop\nrun: ${run}\nscale: { max: 4, on: { rps: 2 }, down_after: 1s }\n`);
  const scaling = () => scalingOf("shop");
  assert.equal((await scaling()).wanted, 1);

  const load = new AbortController();
  const client = (async () => {
    while (!load.signal.aborted) await drover.get("shop.default.localhost", "/");
  })();
  try {
    await drover.until("there are as many as there may be", async () => (await scaling()).wanted === 4);
    const { because } = await scaling();
    assert.match(because ?? "", /requests\/s, 2\.0 requests\/s for each instance; `max` is 4/);
    await drover.until("all of them serve", async () => (await drover.run("apps")).includes("4/4"));
  } finally {
    load.abort();
    await client;
  }
  await drover.until("without requests half of them go", async () => (await scaling()).wanted === 2);
  assert.match(await drover.run("events"), /is scaled from 4 to 2: .*; `min` is 1/);

  const { code, stderr } = await drover.cli(["scale", "shop", "3"]);
  assert.equal(code, 8);
  assert.match(stderr, /process "web" of app "shop" is scaled by rules[\s\S]*`min` and `max`/);
  assert.match(await drover.run("scale", "shop"), /web +2 +1 to 4 /);
  await drover.apply(`app: shop\nrun: ${run}\nscale: { max: 4, on: { rps: 2 }, down_after: 1s }\n`);
  assert.equal((await scaling()).wanted, 2, "to declare the same again changes nothing");

  const trace = await drover.file("trace.csv", "time,rps\n0,1\n60,7\n120,0\n300,0\n");
  const played = JSON.parse(await drover.run("scale", "shop", "--simulate", "--trace", trace, "--start", "1", "--json"));
  assert.deepEqual(
    played.changes.map(({ from, to }: { from: number; to: number }) => `${from} → ${to}`),
    ["1 → 4", "4 → 2", "2 → 1"],
  );
  const lacking = await drover.cli(["scale", "shop", "--simulate", "--trace", await drover.file("cpu.csv", "time,cpu\n0,1\n60,1\n")]);
  assert.equal(lacking.code, 2);
  assert.match(lacking.stderr, /the trace does not say rps/);
});

test("a command says how many there are to be; while it fails none goes, and why is told", async () => {
  const command = await drover.file("how-many", "echo 3");
  const says = (text: string) => writeFile(command, text);
  const scale = `{ max: 5, down_after: 1s, on: { command: { run: sh ${command}, every: 5s } } }`;
  await drover.apply(`app: worker\nprocesses: { job: { run: sleep 1000, scale: ${scale} } }\n`);
  await drover.until("there are as many as it says", async () => (await scalingOf("worker")).wanted === 3);
  assert.match(await drover.run("events", "worker"), /"job" of app "worker" is scaled from 1 to 3: its command asks for 3/);

  await says("echo 1; echo 'queue: connection refused' >&2; exit 3");
  const failed = /its command exited with 3: queue: connection refused/;
  await drover.until("it is told that it fails", async () => failed.test((await scalingOf("worker")).because ?? ""));
  assert.match(await drover.run("events", "worker"), failed);
  const { wanted, held } = await scalingOf("worker");
  assert.equal(wanted, 3);
  assert.match(held ?? "", /none goes while something is not known: what its command says/);

  await says("echo $(($DROVER_INSTANCES - 2))");
  await drover.until("what it asks for less goes", async () => (await scalingOf("worker")).wanted === 1);

  const trace = await drover.file("asked.csv", "time,command\n0,1\n60,4\n120,0\n");
  const played = JSON.parse(
    await drover.run("scale", "worker", "--simulate", "--process", "job", "--trace", trace, "--start", "1", "--json"),
  );
  assert.deepEqual([played.most, played.changes[0].because], [4, "its command asks for 4"]);
});
