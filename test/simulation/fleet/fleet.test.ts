import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppName } from "../../../src/model/names.ts";
import { viewMachines } from "../../../src/server/view/machine-view.ts";
import { playHistories } from "../many.ts";
import { runFleetHistory } from "./history.ts";
import { FleetWorld } from "./world.ts";

/** Enough to find each way of running twice that was built in to try it; more: `node test/simulation/run.ts fleet`. */
const histories = 120;

const hello = "hello" as AppName;
const single = "single" as AppName;

test("the same seed twice gives the same history of a fleet, to the last order and lease", async () => {
  assert.deepEqual((await runFleetHistory(7)).trace, (await runFleetHistory(7)).trace);
});

test(`through ${histories} histories of cut networks, dead servers, drains and deploys nothing that must not run twice does, and apps end where they may run`, () =>
  playHistories("fleet", histories, 1));

/** A server with three other machines, and one instance of `hello` on each of the four. */
async function openFleet(options: { readonly lostAfterMs?: number } = {}): Promise<FleetWorld> {
  const world = new FleetWorld(1, 3, options);
  await world.startServer();
  await world.settle();
  await world.deploy(hello, 4, {});
  await world.clock.advance(5_000, world.settle);
  assert.deepEqual(readyOn(world, hello), ["m1", "m2", "m3", "m4"]);
  return world;
}

function readyOn(world: FleetWorld, app: AppName): readonly string[] {
  return world
    .instances(app)
    .filter(({ ready }) => ready)
    .map(({ machine }) => machine)
    .sort();
}

/** Those that a person sees: of a machine that is cut off nobody knows. */
function others(world: FleetWorld, app: AppName, cut: string): readonly string[] {
  return readyOn(world, app).filter((machine) => machine !== cut);
}

test("a server that starts while a machine is silent goes on with the others once the machine is lost, and not before", async () => {
  const world = await openFleet();
  const [, m2] = world.machines;
  assert.ok(m2);
  world.killServer();
  world.cut(m2);
  await world.clock.advance(60_000, world.settle);
  await world.startServer();
  await world.clock.advance(4_500, world.settle);
  assert.deepEqual(others(world, hello, "m2"), ["m1", "m3", "m4"]);
  await world.clock.advance(1_500, world.settle);
  assert.deepEqual(others(world, hello, "m2"), ["m1", "m1", "m3", "m4"]);
  world.close();
});

test("machines that link one after another give those that have not yet as much time again, up to a bound", async () => {
  const world = await openFleet();
  const [, ...remote] = world.machines;
  world.killServer();
  for (const machine of remote) world.cut(machine);
  await world.startServer();
  for (const machine of remote) {
    await world.clock.advance(4_000, world.settle);
    assert.deepEqual(world.instances(hello).length, 4, "nothing is started elsewhere");
    await world.heal(machine);
  }
  await world.clock.advance(10_000, world.settle);
  assert.deepEqual(readyOn(world, hello), ["m1", "m2", "m3", "m4"]);
  world.close();
});

test("a machine is lost after the time that was said, and what must not run twice is started elsewhere once its lease is over", async () => {
  const world = await openFleet({ lostAfterMs: 20_000 });
  const [m1, m2] = world.machines;
  assert.ok(m1 && m2);
  await world.say(m1, { cordoned: true });
  await world.deploy(single, 1, { isOnlyOne: true });
  await world.clock.advance(5_000, world.settle);
  assert.deepEqual(readyOn(world, single), ["m2"]);
  world.cut(m2);
  await world.clock.advance(19_000, world.settle);
  assert.deepEqual(others(world, hello, "m2"), ["m1", "m3", "m4"]);
  await world.clock.advance(3_000, world.settle);
  assert.equal(others(world, hello, "m2").length, 4);
  assert.deepEqual(readyOn(world, single), ["m2"], "it runs on under its lease");
  await world.clock.advance(36_000, world.settle);
  assert.deepEqual(others(world, single, "m2"), []);
  await world.clock.advance(10_000, world.settle);
  assert.equal(readyOn(world, single).length, 1);
  assert.equal(others(world, single, "m2").length, 1, "it runs elsewhere");
  world.close();
});

test("a server that has just started says what it does not know: a machine that has told nothing yet is not one that runs nothing", async () => {
  const world = await openFleet();
  const [, m2, m3] = world.machines;
  assert.ok(m2 && m3);
  const seen = (name: string) => {
    const found = viewMachines(world.store, world.core).find(({ id }) => id === name);
    return found && { known: found.known, there: found.instances + found.pending };
  };
  world.killServer();
  for (const machine of [m2, m3]) world.cut(machine);
  await world.startServer();
  assert.equal(seen("m1")?.known ?? false, false);
  assert.deepEqual(seen("m2"), { known: false, there: 0 });
  await world.heal(m2);
  await world.clock.advance(1_000, world.settle);
  assert.deepEqual([seen("m1"), seen("m2"), seen("m3")], [...Array(2).fill({ known: true, there: 1 }), { known: false, there: 0 }]);
  await world.clock.advance(10_000, world.settle);
  assert.deepEqual(seen("m3"), { known: true, there: 0 }, "it is lost");
  const there = ["m1", "m2", "m4"].map((name) => seen(name)?.there ?? 0);
  assert.equal(
    there.reduce((sum, one) => sum + one),
    4,
  );
  world.close();
});
