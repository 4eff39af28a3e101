import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestDrover } from "../harness/drover.ts";
import { openFleet, startMachine } from "../harness/fleet.ts";

const web = "require('http').createServer((q, s) => s.end(process.env.DROVER_INSTANCE)).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 4\nstop: { drain: 1s, grace: 1s }\n`;

/** Instances by machine. */
async function countsOf(first: TestDrover, app: string): Promise<Readonly<Record<string, number>>> {
  const { instances } = JSON.parse(await first.run("ps", app, "--json"));
  const counts: Record<string, number> = {};
  for (const { machine } of instances) counts[machine] = (counts[machine] ?? 0) + 1;
  return counts;
}

test("a machine that came later gets its share on request, without a failed request, and what has volumes stays and says so", async (t) => {
  const { first, address } = await openFleet(t);
  await first.apply(`${manifest}---\napp: data\nrun: exec sleep 1000\nport: none\nvolumes: { files: {} }\n`);
  const machine = await startMachine(t, first, address, "m2");
  const [own = ""] = Object.keys(await countsOf(first, "hello"));
  assert.deepEqual(await countsOf(first, "hello"), { [own]: 4 });

  const unsure = await first.cli(["rebalance"]);
  assert.match(unsure.stderr, /\[CONFIRMATION_NEEDED\]/);
  assert.match(unsure.stdout, new RegExp(`default/hello +web +${own} +m2 +${own} has 4, m2 has 0`));
  assert.match(unsure.stderr, new RegExp(`default/data stays: its volumes are on ${own}`));
  assert.deepEqual(await countsOf(first, "hello"), { [own]: 4 });

  let isOver = false;
  const asking = (async () => {
    const failed: number[] = [];
    while (!isOver)
      for (const at of [first, machine]) {
        const { status } = await at.get("hello.default.localhost");
        if (status !== 200) failed.push(status);
      }
    return failed;
  })();
  // A server that is killed meanwhile goes on with it, and asks nobody.
  const rebalanced = first.run("rebalance", "hello", "--yes");
  await first.until("it has begun", async () => JSON.parse((await first.api("GET", "/v1/rebalance")).body).last?.state === "running");
  await first.kill("server");
  assert.match(await rebalanced, /moved 2 instances/);
  isOver = true;
  assert.deepEqual(await asking, []);
  assert.deepEqual(await countsOf(first, "hello"), { [own]: 2, m2: 2 });
  assert.match(await first.run("rebalance", "hello"), /nothing would move/);
  const drained = await first.cli(["machine", "drain", own]);
  assert.match(
    drained.stderr,
    new RegExp(`1 instance of default/data stays on ${own}, which has the volumes; all else has moved +\\[CONFLICT\\]`),
  );
  assert.deepEqual(await countsOf(first, "hello"), { m2: 4 });
  assert.deepEqual(await countsOf(first, "data"), { [own]: 1 });
  await first.run("machine", "drain", own, "--force");
  assert.deepEqual(await countsOf(first, "data"), {});
  assert.match((await first.cli(["why", "data"])).stdout, new RegExp(`waits for ${own}, which has its volumes and is to be empty`));
  await first.run("machine", "uncordon", own);
  await first.until("what has its volumes there runs again", async () => (await countsOf(first, "data"))[own] === 1);
  assert.match(await first.run("events"), /rebalance\.done: 2 instances moved to other machines/);
});
