import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppName } from "../../../src/model/names.ts";
import { nullEvents } from "../fixtures.ts";
import { FleetWorld } from "./world.ts";

const hello = "hello" as AppName;
const balanced = { m1: 2, m2: 2, m3: 2 };
/** Not a divisor of what anything takes, so that servers die at every moment of a move. */
const killEveryMs = 97;

/** Machines of which the first has all six instances, and which take new ones but for those that are left out. */
async function openUneven(seed: number, left: readonly string[] = []): Promise<FleetWorld> {
  const world = new FleetWorld(seed, 2);
  await world.startServer();
  await world.settle();
  const [, ...later] = world.machines;
  for (const machine of later) await world.say(machine, { cordoned: true });
  await world.deploy(hello, 6, {});
  await world.clock.advance(5_000, world.settle);
  for (const machine of later) await world.say(machine, { cordoned: left.includes(machine.id) });
  await world.settle();
  assert.deepEqual(countsOf(world), { m1: 6 });
  return world;
}

function countsOf(world: FleetWorld): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { machine } of world.instances(hello)) counts[machine] = (counts[machine] ?? 0) + 1;
  return counts;
}

/** Until nothing is moved any more. @returns where instances were, at each look */
async function untilOver(world: FleetWorld): Promise<readonly Readonly<Record<string, number>>[]> {
  const seen: Readonly<Record<string, number>>[] = [];
  for (let look = 0; look < 1_000; look++) {
    await world.clock.advance(100, world.settle);
    if (world.core.rebalancer.progress?.state !== "running") return seen;
    seen.push(countsOf(world));
  }
  throw new Error("it never ends");
}

test("a rebalance ends as it was meant and says how many have moved, whenever a server is killed in it or just after", async () => {
  let isOver = false;
  for (let atMs = 0; !isOver; atMs += killEveryMs) {
    const world = await openUneven(atMs + 1);
    await world.core.rebalancer.start(null, nullEvents);
    await world.clock.advance(atMs, world.settle);
    isOver = world.core.rebalancer.progress?.state !== "running";
    world.killServer();
    await world.clock.advance(500, world.settle);
    await world.startServer();
    await world.settle();
    for (const { m2 = 0, m3 = 0 } of await untilOver(world)) assert.ok(m2 <= 2 && m3 <= 2, `killed after ${atMs} ms, one came too much`);
    assert.deepEqual(world.core.rebalancer.progress, { state: "done", total: 4, moved: 4, reason: null }, `killed after ${atMs} ms`);
    assert.deepEqual(countsOf(world), balanced, `killed after ${atMs} ms, once it says that it is done`);
    world.close();
  }
});

test("a machine that takes instances from the middle of a rebalance on takes none of what moves", async () => {
  const world = await openUneven(1, ["m3"]);
  const [, , m3] = world.machines;
  assert.ok(m3);
  await world.core.rebalancer.start(null, nullEvents);
  await world.clock.advance(300, world.settle);
  await world.say(m3, { cordoned: false });
  for (const { m3: there = 0 } of await untilOver(world)) assert.equal(there, 0);
  assert.deepEqual(world.core.rebalancer.progress, { state: "done", total: 3, moved: 3, reason: null });
  assert.deepEqual(countsOf(world), { m1: 3, m2: 3 });
  world.close();
});

for (const [what, change, why] of [
  ["is scaled", (world) => world.change(hello, { instances: { web: 5 } as never }), /^sim\/hello was scaled meanwhile$/],
  ["loses a place to go to", (world) => world.say(at(world, 2), { cordoned: true }), /^m3 takes nothing of sim\/hello any more$/],
  ["is to leave a machine", (world) => world.say(at(world, 0), { draining: true, cordoned: true }), /^sim\/hello is to leave m1$/],
  ["loses a machine", async (world) => world.cut(at(world, 2)), /^m3 takes nothing of sim\/hello any more$/],
] as const satisfies readonly (readonly [string, (world: FleetWorld) => Promise<unknown>, RegExp])[]) {
  test(`a rebalance whose app ${what} stops, says why and how many have moved, and the app has all that it wants`, async () => {
    const world = await openUneven(1);
    await world.core.rebalancer.start(null, nullEvents);
    await world.clock.advance(300, world.settle);
    await change(world);
    await untilOver(world);
    const { state, total, moved = -1, reason } = world.core.rebalancer.progress ?? {};
    assert.equal(state, "stopped");
    assert.equal(total, 4);
    assert.match(reason ?? "", why);
    assert.ok(moved >= 0 && moved < 4, `${moved}`);
    for (const machine of world.machines) await world.heal(machine);
    await world.clock.advance(30_000, world.settle);
    const wanted = world.app(hello)?.instances["web" as never];
    assert.equal(world.instances(hello).filter(({ ready }) => ready).length, wanted);
    world.close();
  });
}

function at(world: FleetWorld, index: number): FleetWorld["machines"][number] {
  const machine = world.machines[index];
  assert.ok(machine);
  return machine;
}
