import { type AppName, parseWorkloadId } from "../../../src/model/names.ts";
import type { HistoryResult } from "../history.ts";
import { FleetWorld } from "./world.ts";

/** Must never run twice. */
const single = "single" as AppName;
/** Runs on machines with a label alone, spread over another. */
const spread = "spread" as AppName;
const spreadInstances = 4;
const place = { labels: { disk: "ssd" }, pool: null, spread: "zone" };

/** Time after the last fault within which everything has to be as declared: several leases, and the longest backoff. */
const convergenceMs = 180_000;

/** One history of machines that are cut off and healed, drained and labelled, and of servers that die. First with faults, then healed. */
export async function runFleetHistory(seed: number, steps = 25): Promise<HistoryResult> {
  const world = new FleetWorld(seed, 3);
  const { random, clock } = world;
  const problems: string[] = [];
  const problem = (words: string) => {
    world.note(`PROBLEM ${words}`);
    problems.push(`at ${clock.monotonicMs()} ms: ${words}`);
  };
  const settle = async () => {
    await world.settle();
    // A process is there from its start until its end, whatever anybody has been told of it.
    const running = world.instances(single).filter(({ state }) => state === "running" || state === "draining" || state === "stopping");
    if (running.length > 1) problem(`it runs twice: ${running.map(({ id, machine, state }) => `${id} ${state} on ${machine}`).join(", ")}`);
  };
  await world.startServer();
  for (const [i, machine] of world.machines.entries()) await world.say(machine, { labels: { zone: i % 2 === 0 ? "a" : "b", disk: "ssd" } });
  await settle();
  await world.deploy(single, 1, { isOnlyOne: true });
  await world.deploy(spread, spreadInstances, { place });
  for (let step = 0; step < steps && problems.length === 0; step++) {
    await act(world);
    await settle();
    await clock.advance(random.pick([0, 30, 300, 1_000, 3_000, 6_000, 12_000, 25_000]), settle);
  }
  world.note("all faults end");
  for (const machine of world.machines) await world.heal(machine);
  await world.startServer();
  for (const machine of world.machines) {
    world.link(machine);
    await world.say(machine, { cordoned: false, draining: false });
  }
  await world.change(single, { stopped: false });
  if (problems.length === 0) await clock.advance(convergenceMs, settle);
  for (const words of problems.length === 0 ? notConverged(world) : []) problem(words);
  world.close();
  return { seed, problems, trace: world.trace };
}

async function act(world: FleetWorld): Promise<void> {
  const { random } = world;
  const machine = random.pick(world.machines);
  switch (random.between(0, 11)) {
    case 0:
    case 1:
    case 2:
      // The machine beside the server is cut off from nobody.
      return machine.isRemote ? world.cut(machine) : undefined;
    case 3:
    case 4:
    case 5:
      for (const one of world.machines) await world.heal(one);
      return world.startServer();
    case 6:
      return world.killServer();
    case 7:
      return world.startServer();
    case 8: {
      const found = random.pick([...world.instances(single), null]);
      if (found === null) return;
      world.note(`crash ${found.id}`);
      return world.machines.find(({ id }) => id === found.machine)?.engine.crash(found.id);
    }
    default:
      return world.isServing ? changeSomething(world, machine) : undefined;
  }
}

async function changeSomething(world: FleetWorld, machine: FleetWorld["machines"][number]): Promise<void> {
  const { random } = world;
  switch (random.between(0, 4)) {
    case 0:
      return world.deploy(single, 1, { isOnlyOne: true });
    case 1:
      return world.say(machine, { cordoned: true, draining: true });
    case 2:
      return world.say(machine, { cordoned: false, draining: false });
    case 3:
      return world.say(machine, { labels: { disk: random.pick(["ssd", null]) } });
    default:
      return world.change(single, { stopped: world.app(single)?.stopped !== true });
  }
}

function notConverged(world: FleetWorld): readonly string[] {
  const problems: string[] = [];
  for (const [name, wanted] of [
    [single, 1],
    [spread, spreadInstances],
  ] as const) {
    const app = world.app(name);
    const own = world.instances(name);
    const right = own.filter(
      ({ workload, state, ready }) => parseWorkloadId(workload).release === app?.target && state === "running" && ready,
    );
    if (own.length !== wanted || right.length !== wanted)
      problems.push(`${name}: ${right.length} of ${wanted} are ready, ${own.length} exist`);
  }
  const suiting = new Set(world.machines.filter(({ id }) => world.labels(id)["disk"] === "ssd").map(({ id }) => id));
  const wrong = world.instances(spread).filter(({ machine }) => !suiting.has(machine));
  if (suiting.size > 0 && wrong.length > 0)
    problems.push(`${wrong.map(({ id, machine }) => `${id} on ${machine}`).join(", ")}: without the label`);
  return problems;
}
