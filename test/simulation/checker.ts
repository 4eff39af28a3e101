import type { App } from "../../src/model/app.ts";
import { type AppName, type InstanceId, parseWorkloadId } from "../../src/model/names.ts";
import type { Instance } from "../../src/model/workload.ts";
import { objects } from "../../src/server/objects/objects.ts";
import { space, type World, web } from "./world.ts";

interface Seen {
  readonly wanted: number;
  readonly limit: number;
  readonly existing: number;
  readonly ready: ReadonlySet<InstanceId>;
  readonly restartToken: string;
  readonly isStopped: boolean;
}

const nothing: Seen = { wanted: 0, limit: 0, existing: 0, ready: new Set(), restartToken: "", isStopped: true };

/**
 * Looks at the world after every step, from the outside: at what the engine runs and at the edge's table, never at what a controller believes.
 * Knows the promises, and nothing of how they are kept.
 */
export class Checker {
  readonly #world: World;
  readonly #seen = new Map<string, Seen>();
  /** Apps that at some time wanted no instance: then a bad release is as ready as a good one. */
  readonly #atZero = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** @returns broken promises, in words. */
  look(): readonly string[] {
    const { engine, store } = this.#world;
    const problems: string[] = [];
    const apps = new Map(objects.apps(store, space).map(({ value }) => [value.name as string, value]));
    const byApp = Map.groupBy(
      engine.instances().filter(({ workload }) => parseWorkloadId(workload).process === web),
      ({ workload }) => parseWorkloadId(workload).app as string,
    );
    for (const name of new Set([...apps.keys(), ...byApp.keys(), ...this.#seen.keys()])) {
      problems.push(...this.#lookAtApp(name, apps.get(name), byApp.get(name) ?? []));
    }
    problems.push(...this.#lookAtTable());
    this.#world.exited.clear();
    return problems;
  }

  #lookAtApp(name: string, app: App | undefined, instances: readonly Instance[]): readonly string[] {
    const before = this.#seen.get(name) ?? nothing;
    const isStopped = app === undefined || app.stopped || app.destroying;
    const wanted = isStopped ? 0 : (app.instances[web] ?? 1);
    const existing = instances.filter(({ state }) => state !== "exited").length;
    const ready = new Set(instances.filter((one) => one.ready && one.state === "running").map(({ id }) => id));
    const restartToken = app?.restartToken ?? "";
    const limit = wanted + surge(app, wanted);
    const problems: string[] = [];
    const { exited } = this.#world;
    if (!isStopped && wanted === 0) this.#atZero.add(name);

    // An order given just before the wanted number changed is carried out under the number that was.
    const most = Math.max(limit, before.limit);
    if (existing > before.existing && existing > most) problems.push(`${name}: ${existing} instances exist, at most ${most} may`);

    const taken = [...before.ready].filter((id) => !ready.has(id) && !exited.has(id));
    const lost = [...before.ready].filter((id) => !ready.has(id)).length - taken.length;
    const least = Math.min(wanted, before.wanted, before.ready.size - lost);
    const isExempt =
      isStopped || before.isStopped || restartToken !== before.restartToken || this.#isRestarting(app, instances) || isFixed(name);
    if (!isExempt && taken.length > 0 && ready.size < least)
      problems.push(`${name}: ${taken.join(", ")} went, leaving ${ready.size} ready where ${least} must stay`);

    const ports = instances.filter(({ state }) => state === "running").flatMap(({ port }) => (port === null ? [] : [port]));
    if (new Set(ports).size !== ports.length) problems.push(`${name}: two instances have one port`);
    this.#seen.set(name, { wanted, limit, existing, ready, restartToken, isStopped });
    return problems;
  }

  #isRestarting(app: App | undefined, instances: readonly Instance[]): boolean {
    return instances.some((one) => one.restartToken !== app?.restartToken);
  }

  #lookAtTable(): readonly string[] {
    const { engine, edge, isLinked } = this.#world;
    const problems = edge.stale > 0 ? ["the edge was sent an older table than it has"] : [];
    if (!isLinked) return problems;
    const ready = new Map(engine.instances().map((one) => [one.id, one]));
    for (const route of edge.routes.values()) {
      for (const { instance } of route.targets.flatMap((target) => target.endpoints)) {
        const found = ready.get(instance);
        if (found === undefined || !found.ready || found.state !== "running")
          problems.push(`${route.id} leads to ${instance}, which is ${found?.state ?? "gone"}${found?.ready ? "" : " and not ready"}`);
      }
    }
    return problems;
  }

  /** What is not as declared although nothing was broken for long. */
  converged(): readonly string[] {
    const { engine, store, edge } = this.#world;
    const problems: string[] = [];
    const apps = objects.apps(store, space).map(({ value }) => value);
    const names = new Set(apps.map(({ name }) => name as string));
    for (const instance of engine.instances()) {
      const { app } = parseWorkloadId(instance.workload);
      if (!names.has(app)) problems.push(`${instance.id} of an app that does not exist`);
    }
    for (const app of apps) problems.push(...this.#appConverged(app));
    for (const route of edge.routes.values()) if (!names.has(route.app)) problems.push(`${route.id} of an app that does not exist`);
    return [...problems, ...this.#needsConverged(apps)];
  }

  /** The address of an app is open when a release that is wanted, active or still runs needs it, and only then. */
  #needsConverged(apps: readonly App[]): readonly string[] {
    const { edge, engine } = this.#world;
    const running = new Set(
      engine.instances().map(({ workload }) => `${parseWorkloadId(workload).app} ${parseWorkloadId(workload).release}`),
    );
    const needed = new Map<string, string>();
    for (const { name, active, target } of apps) {
      const releases = this.#world
        .releases(name as AppName)
        .filter(({ number }) => number === active || number === target || running.has(`${name} ${number}`));
      for (const { spec } of releases) for (const other of Object.keys(spec.needs)) needed.set(other, name);
    }
    const open = new Set([...edge.routes.values()].filter(({ listener }) => listener.kind === "service").map(({ app }) => app as string));
    const unneeded = [...open].filter((app) => !needed.has(app)).map((app) => `the address of ${app} is open, and no app needs it`);
    const closed = apps.filter(({ name, active }) => active !== null && needed.has(name) && !open.has(name));
    return [...unneeded, ...closed.map(({ name }) => `${needed.get(name)} needs ${name}, whose address is closed`)];
  }

  #appConverged(app: App): readonly string[] {
    const { engine, edge } = this.#world;
    const own = engine.instances().filter(({ workload }) => parseWorkloadId(workload).app === app.name);
    if (app.destroying) return [`${app.name} still is being destroyed`];
    if (app.stopped) return own.length === 0 ? [] : [`${app.name} is stopped and has ${own.length} instances`];
    if (app.target === null) return [];
    const problems: string[] = [];
    const releases = new Map(this.#world.releases(app.name as AppName).map((release) => [release.number, release]));
    const target = releases.get(app.target);
    const temper = target?.spec.processes[web]?.run;
    const isGood = temper === "good" || temper === "slow" || temper === "crashes-later";
    if (!isGood) {
      if (this.#atZero.has(app.name)) return [];
      if (app.active !== null && app.active !== app.target) problems.push(`${app.name}: release ${app.target} is bad and still the target`);
      if (target?.state !== "failed") problems.push(`${app.name}: release ${app.target} is bad and ${target?.state}`);
      return problems;
    }
    const wanted = app.instances[web] ?? 1;
    if (app.active !== app.target) problems.push(`${app.name}: release ${app.target} is good and not active (${target?.state})`);
    const right = own.filter((one) => parseWorkloadId(one.workload).release === app.target && one.state === "running" && one.ready);
    if (right.length !== wanted || own.length !== wanted)
      problems.push(`${app.name}: ${right.length} of ${wanted} are ready, ${own.length} exist`);
    if (own.some((one) => one.restartToken !== app.restartToken)) problems.push(`${app.name}: instances were not restarted`);
    for (const route of [...edge.routes.values()].filter((one) => one.app === app.name)) {
      const routed = route.targets.flatMap((one) => one.endpoints).length;
      if (routed !== wanted) problems.push(`${route.id} leads to ${routed} instances, not ${wanted}`);
    }
    return problems;
  }
}

/** The most instances above the wanted number that the app's way of deploying allows. */
function surge(app: App | undefined, wanted: number): number {
  if (app === undefined || wanted === 0) return 0;
  const { strategy, surge } = app.deploy;
  const rolling = "instances" in surge ? surge.instances : Math.max(1, Math.ceil(wanted * surge.share));
  // Without an active release beside which to run, the other ways replace what there is as rolling does.
  return strategy === "rolling" ? rolling : Math.max(wanted, rolling);
}

/** An app that insists on one port cannot keep the old while it starts the new. */
function isFixed(name: string): boolean {
  return name.startsWith("fixed");
}
