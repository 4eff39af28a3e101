import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root, TestDrover } from "../harness/drover.ts";

interface Scaling {
  readonly process: string;
  readonly wanted: number;
  readonly needed: number | null;
  readonly because: string | null;
  readonly held: string | null;
}

test("a process follows its load: more instances under requests, fewer without, each step explained; by hand it is not scaled", async () => {
  await using drover = await TestDrover.start();
  const run = `exec node ${join(root, "test/fixtures/breakable.mjs")}`;
  await drover.apply(`app: shop\nrun: ${run}\nscale: { max: 4, on: { rps: 2 }, down_after: 1s }\n`);
  const scaling = async (): Promise<Scaling> => JSON.parse(await drover.run("scale", "shop", "--json")).processes[0];
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
