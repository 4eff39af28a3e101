import type { DeployManifest } from "../../src/model/manifest.ts";
import type { AppName } from "../../src/model/names.ts";
import { Checker } from "./checker.ts";
import { defaultDeploy, type Temper, World, web } from "./world.ts";

/** Time after the last fault within which everything has to be as declared: the deadline, the holds and the longest backoff, twice. */
const convergenceMs = 300_000;

const tempers: readonly Temper[] = ["good", "good", "good", "slow", "never-ready", "crashes", "before-fails", "crashes-later"];

export interface HistoryResult {
  readonly seed: number;
  /** Broken promises, in words; empty if all were kept. */
  readonly problems: readonly string[];
  readonly trace: readonly string[];
}

/** One history: from its seed come the apps, what people do to them, and every fault. First with faults, then healed, then all must be as declared. */
export async function runHistory(seed: number, steps = 25): Promise<HistoryResult> {
  const world = new World(seed);
  const checker = new Checker(world);
  const { random } = world;
  const names = ["app1", "app2", "fixed3"].slice(0, random.between(1, 3)) as AppName[];
  const problems: string[] = [];
  const look = (found = checker.look()) => {
    for (const problem of found) {
      world.note(`PROBLEM ${problem}`);
      problems.push(`at ${world.clock.monotonicMs()} ms: ${problem}`);
    }
  };
  const settle = async () => {
    await world.settle();
    look();
  };
  const isFaulty = random.chance(0.8);
  world.faults = isFaulty ? { death: random.pick([0, 0.005, 0.02]), refusal: random.pick([0, 0, 0.05]) } : { death: 0, refusal: 0 };
  await world.startServer();
  for (let step = 0; step < steps && problems.length === 0; step++) {
    await act(world, names, isFaulty);
    await settle();
    await world.clock.advance(random.pick([0, 10, 100, 1_000, 3_000, 15_000]), settle);
  }
  world.note("all faults end");
  world.faults = { death: 0, refusal: 0 };
  await world.startServer();
  world.linkAgent();
  world.linkEdge();
  if (problems.length === 0) await world.clock.advance(convergenceMs, settle);
  if (problems.length === 0) look(checker.converged());
  await world.killServer();
  return { seed, problems, trace: world.trace };
}

async function act(world: World, names: readonly AppName[], isFaulty: boolean): Promise<void> {
  const { random, engine } = world;
  const name = random.pick(names);
  const app = world.app(name);
  const instances = name.startsWith("fixed") ? 1 : random.between(1, 6);
  const others = names.filter((one) => one !== name && random.chance(0.3));
  const deploy = (temper: Temper, count: number) =>
    world.deploy(name, { temper, deploy: deployOf(world), instances: count, isFixedPort: name.startsWith("fixed"), needs: others });
  if (app === null) return deploy(random.pick(tempers), instances);
  switch (random.between(0, isFaulty ? 13 : 8)) {
    case 0:
    case 1:
    case 2:
      return deploy(random.pick(tempers), app.instances[web] ?? 1);
    case 3:
      return name.startsWith("fixed") ? undefined : world.change(name, { instances: { [web]: random.between(0, 6) } });
    case 4:
      return world.change(name, { stopped: !app.stopped });
    case 5:
      return world.change(name, { restartToken: String(random.between(1, 1_000)) });
    case 6:
      return random.chance(0.2) ? world.change(name, { destroying: true, recreate: false }) : undefined;
    case 7:
      return deploy("good", app.instances[web] ?? 1);
    case 8:
      return undefined;
    case 9:
    case 10: {
      const running = engine.instances().filter(({ state, port }) => state === "running" && port !== null);
      const victim = running.length === 0 ? undefined : random.pick(running);
      if (victim === undefined) return;
      world.note(`crash ${victim.id}`);
      return engine.crash(victim.id);
    }
    case 11:
      return world.core === null ? world.startServer() : world.killServer();
    case 12:
      world.note("agent link cut");
      world.cutAgent();
      return;
    default:
      await world.startServer();
      world.linkAgent();
      world.linkEdge();
  }
}

function deployOf({ random }: World): DeployManifest {
  return {
    ...defaultDeploy,
    strategy: random.pick(["rolling", "rolling", "blue-green", "canary"]),
    surge: random.pick<DeployManifest["surge"]>([{ share: 0.25 }, { instances: 1 }, { instances: 2 }, { share: 0.5 }]),
    hold: random.pick([0, 1_000, 5_000]),
  };
}
