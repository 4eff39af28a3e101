import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestDrover } from "../harness/drover.ts";
import { openFleet, startMachine } from "../harness/fleet.ts";

const web = "require('http').createServer((q, s) => s.end(process.env.DROVER_INSTANCE)).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 4\n`;

/** Ready instances by machine. */
async function readyOn(first: TestDrover): Promise<Readonly<Record<string, number>>> {
  const { instances } = JSON.parse(await first.run("ps", "hello", "--json"));
  const counts: Record<string, number> = {};
  for (const { machine, state } of instances.filter(({ ready }: { ready: boolean }) => ready))
    counts[machine] = (counts[machine] ?? 0) + (state === "running" ? 1 : 0);
  return counts;
}

async function runsOn(first: TestDrover): Promise<readonly string[]> {
  return Object.keys(await readyOn(first));
}

test("an app spreads over machines, moves when one is drained, and starts elsewhere when one is lost, while both edges serve it", async (t) => {
  const { first, address } = await openFleet(t);
  const machine = await startMachine(t, first, address, "m2");
  await first.apply(manifest);
  const own = (await runsOn(first)).find((name) => name !== "m2") ?? "";
  assert.deepEqual(await readyOn(first), { [own]: 2, m2: 2 });

  for (const at of [first, machine]) {
    const seen = new Set<string>();
    await at.until("every instance answers through this edge", async () => {
      const { status, body } = await at.get("hello.default.localhost");
      if (status === 200) seen.add(body);
      return seen.size === 4;
    });
  }
  assert.match(await first.run("ps", "hello"), /INSTANCE +MACHINE/);
  const instance = (await runsInstances(first, "m2"))[0] ?? "";
  assert.match(
    await first.run("exec", "hello", "--instance", instance, "--", "sh", "-c", "echo in $DROVER_INSTANCE"),
    new RegExp(`in .*${instance}`),
  );

  const busy = await first.cli(["machine", "remove", "m2", "--yes"]);
  assert.match(busy.stderr, /"m2" runs 2 instances {3}\[CONFLICT\]/);
  await first.run("machine", "drain", "m2");
  await first.until("all of it runs on the other machine", async () => (await readyOn(first))[own] === 4);
  await first.run("machine", "uncordon", "m2");
  await first.run("scale", "hello", "6");
  assert.deepEqual(await readyOn(first), { [own]: 4, m2: 2 });

  await machine.kill("agent");
  await first.until("what the lost machine ran is started elsewhere", async () => (await readyOn(first))[own] === 6);
  assert.match(await first.run("events"), /machine\.lost: machine m2 is lost: what it ran \(2 instances\) is started on others/);
  machine.launch(["--join", address]);
  await first.until("the machine is back, and there are as many as wanted", async () => {
    const { instances } = JSON.parse(await first.run("ps", "hello", "--json"));
    return instances.length === 6 && instances.some((one: { machine: string }) => one.machine === "m2");
  });
  assert.equal((await first.get("hello.default.localhost")).status, 200);

  assert.equal(await first.run("machine", "label", own, "disk=ssd", "zone=a"), `${own} has disk=ssd zone=a\n`);
  await first.apply(`${manifest}place: { labels: { disk: ssd } }\n`);
  await first.until("all of it runs where the label is", async () => sameCounts(await readyOn(first), { [own]: 4 }));
  const stuck = await first.cli(["machine", "drain", own, "--timeout", "5s"]);
  assert.match(
    stuck.stderr,
    /\S+ of default\/hello cannot move: web needs a machine; 2 machines looked at, m2 has no label disk=ssd, \S+ is cordoned/,
  );
  assert.match(stuck.stderr, /4 instances of \S+ had not moved, and cannot as things are, within 5\S* s {3}\[TIMED_OUT\]/);
  assert.match(await first.status(), new RegExp(`${own} is drained, and 4 instances cannot move: default/hello: web needs a machine`));
  assert.match(await first.run("machine", "show", own), /drain +\S+ of default\/hello cannot move: web needs a machine/);
  await first.run("machine", "uncordon", own);
  await first.run("machine", "label", own, "disk-");
  const { stdout } = await first.cli(["why", "hello"]);
  assert.match(stdout, /web needs a machine; 2 machines looked at, .* have no label disk=ssd/);
  assert.deepEqual(await readyOn(first), { [own]: 4 }, "what runs goes on where there is no better place");
});

function sameCounts(counts: Readonly<Record<string, number>>, wanted: Readonly<Record<string, number>>): boolean {
  return JSON.stringify(counts) === JSON.stringify(wanted);
}

async function runsInstances(first: TestDrover, name: string): Promise<readonly string[]> {
  const { instances } = JSON.parse(await first.run("ps", "hello", "--json"));
  return instances
    .filter(({ machine }: { machine: string }) => machine === name)
    .map(({ id }: { id: string }) => id.slice(id.lastIndexOf("/") + 1));
}
