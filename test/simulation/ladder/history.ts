import type { Target } from "../../../src/model/target.ts";
import { SeededRandom } from "../random.ts";
import { LadderChecker } from "./checker.ts";
import { LadderWorld } from "./world.ts";

/** Ticks with faults, and the longest after them until everything has to be well: a small budget needs hours for a whole space. */
const faultyTicks = 75;
const healingMs = 8 * 3_600_000;

export interface LadderHistory {
  readonly problems: readonly string[];
  readonly trace: readonly string[];
}

/** One history: from its seed come the space, the ladder, and everything that happens. First with faults, then without, and then all must be well. */
export function runLadderHistory(seed: number): LadderHistory {
  const world = new LadderWorld(new SeededRandom(seed));
  const checker = new LadderChecker(world);
  const { random, environment } = world;
  world.onAction = checker.judge;
  world.deathShare = random.pick([0, 0, 0.01, 0.05]);
  if (random.chance(0.15)) environment.breakAll();
  for (let tick = 0; tick < faultyTicks && checker.problems.length === 0; tick++) {
    if (random.chance(0.25)) act(world);
    world.answer(0.05);
    world.tick();
    checker.look();
  }
  world.note("all faults end");
  Object.assign(world, { deathShare: 0, isNetworkUp: true, isDryRun: false });
  for (const probe of world.probes) Object.assign(probe, { silentUntilMs: 0, cutUntilMs: 0 });
  world.flutter.clear();
  environment.isFaulty = false;
  const endMs = world.nowMs + healingMs;
  for (let tick = 0; world.nowMs < endMs && checker.problems.length === 0; tick++) {
    world.startServer();
    if (tick % 6 === 0) world.answer(1);
    world.tick();
    checker.look();
    if (tick > 12 && environment.isWhole() && isAtRest(world)) break;
    world.leap(endMs);
  }
  if (checker.problems.length === 0) checker.converged();
  return { problems: checker.problems, trace: world.trace };
}

function isAtRest(world: LadderWorld): boolean {
  for (const { outcome } of world.runs.values()) if (outcome === null) return false;
  for (const { verdict } of world.states.values()) if (verdict !== "ok") return false;
  return true;
}

function act(world: LadderWorld): void {
  const { random, environment } = world;
  const targets = (): readonly Target[] => [...world.index.places.of.keys(), "space"];
  switch (random.between(0, 17)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
      const part = random.pick(environment.parts());
      world.note(`${part} breaks`);
      environment.break(part);
      return;
    }
    case 5: {
      const { machines } = environment.topology;
      world.note("many machines break");
      for (const { name } of machines) if (random.chance(0.6)) environment.break(`machine/${name}`);
      return;
    }
    case 6:
      world.flutter.set(random.pick([...world.index.checks.keys()]), world.nowMs + random.pick([60_000, 300_000]));
      return;
    case 7:
      world.note("the probes see nothing");
      for (const probe of world.probes) probe.silentUntilMs = world.nowMs + random.pick([20_000, 60_000, 180_000]);
      return;
    case 8:
      world.note(`the server's network is ${world.isNetworkUp ? "down" : "up"}`);
      world.isNetworkUp = !world.isNetworkUp;
      return;
    case 9: {
      world.pause(random.pick(targets()), random.pick([30_000, 120_000, 600_000]));
      return;
    }
    case 10: {
      world.killServer();
      return;
    }
    case 11: {
      world.stopSome();
      return;
    }
    case 12:
      if (random.chance(0.3)) world.isDryRun = !world.isDryRun;
      return;
    case 13: {
      world.answer(0.7);
      return;
    }
    case 14: {
      const probe = random.pick(world.probes);
      world.note(`the ${probe.name} sends nothing`);
      probe.silentUntilMs = world.nowMs + random.pick([20_000, 60_000, 180_000]);
      return;
    }
    case 15: {
      const probe = random.pick(world.probes);
      world.note(`everything fails at the ${probe.name} alone`);
      probe.cutUntilMs = world.nowMs + random.pick([20_000, 60_000, 180_000]);
      return;
    }
    default:
      world.isNetworkUp = true;
      world.startServer();
  }
}
