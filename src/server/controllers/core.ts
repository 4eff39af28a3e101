import type { Labels } from "#host/edges-option.ts";
import type { App, Release } from "#model/app.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import {
  type AppId,
  type AppName,
  appId,
  appOfInstance,
  type MachineId,
  type RouteId,
  type SpaceName,
  type WorkloadName,
} from "#model/names.ts";
import type { Endpoint } from "#model/routing-table.ts";
import { isStepsApp } from "#model/steps.ts";
import { suits } from "#plan/placement/plan-placement.ts";
import { planNeeds } from "#plan/routes/needs.ts";
import { planRoutes, serviceRouteId } from "#plan/routes/plan-routes.ts";
import type { EventLog } from "../events/event-log.ts";
import { followAgent } from "../fleet/agent-link.ts";
import { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer, EdgePeer } from "../fleet/peers.ts";
import { standingOf } from "../members/standings.ts";
import { objects } from "../objects/objects.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { LostRevisions } from "../store/lost-revisions.ts";
import type { Store } from "../store/store.ts";
import { AppController } from "./app-controller.ts";
import { AppHomes } from "./app-homes.ts";
import { ArtifactCopies } from "./artifact-copies.ts";
import { Drainer } from "./drainer.ts";
import { followStore } from "./follow-store.ts";
import { Leases } from "./leases.ts";
import { LostMachines } from "./lost-machines.ts";
import { Narrator } from "./narrator.ts";
import { observe } from "./observe.ts";
import { Rebalancer, type RebalancerOptions } from "./rebalancer.ts";
import { Reviews } from "./reviews.ts";
import { type Fragment, RoutesController } from "./routes-controller.ts";
import { Subscribers } from "./subscribers.ts";
import { TrafficMonitor } from "./traffic-monitor.ts";
import { WorkQueue } from "./work-queue.ts";

/** Apps that are worked on at once: enough to keep the link busy, few enough that one change among thousands is not behind all of them. */
const concurrency = 32;
/** A machine of which nothing was heard for so long is lost, unless people say otherwise. */
const usualLostAfterMs = 5_000;
/** Drain time of an instance whose release is not kept any more. */
const unknownDrainMs = 10_000;

export interface CoreOptions {
  readonly store: Store;
  readonly events: EventLog;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** How long a machine may be silent before it is lost. Default 5,000 ms. */
  readonly lostAfterMs?: number;
  /** What checks of an app want people to look at; left out: nothing is checked. */
  readonly unmended?: RebalancerOptions["unmended"];
  /** What restores of backups have lost. Default: nothing. */
  readonly lost?: readonly LostRevisions[];
  /** What machines are labelled with that take what comes from outside. Left out: each does. */
  readonly edges?: Labels;
  /** By which other machines reach the instances of one, where their traffic is encrypted. Left out: it is plain. */
  readonly entryOf?: (machine: MachineId) => NonNullable<Endpoint["entry"]>;
}

/** The controllers and what they share, without the sockets: what simulations drive too. */
export interface Core {
  readonly fleet: Fleet;
  readonly apps: AppController;
  readonly routes: RoutesController;
  readonly subscribers: Subscribers;
  readonly reviews: Reviews;
  readonly rebalancer: Rebalancer;
  /** Whether the machine is to take what comes from outside. */
  readonly isEdge: (machine: MachineId) => boolean;
  /** Epoch milliseconds that do not jump while the server runs. */
  readonly steadyNowMs: () => number;
  agentLinked(peer: AgentPeer): void;
  edgeLinked(peer: EdgePeer): void;
  /** Apps that wait for a pass or are in one. */
  readonly busy: () => number;
  readonly stopped: Promise<void>;
}

/** Starts the controllers; they run until the signal aborts. */
export function startCore(options: CoreOptions, signal: AbortSignal): Core {
  const { store, events, secrets, clock, random, log, lostAfterMs = usualLostAfterMs } = options;
  const { entryOf = () => null, edges = {} } = options;
  const startedAtMs = clock.nowMs();
  const startedMs = clock.monotonicMs();
  const steadyNowMs = () => startedAtMs + clock.monotonicMs() - startedMs;
  const narrator = new Narrator(events, clock, signal);
  const subscribers = new Subscribers();
  const running = new Set<Promise<void>>();
  const own = (work: Promise<void>) => {
    running.add(work);
    void work.finally(() => running.delete(work));
  };

  const knownSinceMs = new Map<MachineId, number>();
  const agentSinceMs = () => Math.min(steadyNowMs(), ...knownSinceMs.values());
  const releaseOf = (name: WorkloadName) => objects.release(store, name.space, name.app, name.release)?.value ?? null;
  const fleet: Fleet = new Fleet({
    standingOf: (machine) => {
      const { cordoned, draining, labels } = standingOf(store, machine);
      return { labels, isCordoned: cordoned, isDraining: draining };
    },
    resourcesOf: (name) => releaseOf(name)?.spec.processes[name.process]?.resources ?? { cpu: null, memoryBytes: null },
    onApp: (app) => {
      subscribers.changed(app);
      // Commands of ladders are no app's: whoever ordered them looks after them.
      if (isStepsApp(app)) return;
      queue.wake(app);
      routes.wake(app);
    },
    onInstance: (before, after) => {
      // Commands of ladders are told of by what runs them, in words that people know.
      const instance = after ?? before;
      if (instance !== null && !isStepsApp(appOfInstance(instance.id))) narrator.instance(before, after);
      if (after !== null) drainer.observe(after, drainMsOf(after.workload));
      else if (before !== null) drainer.forget(before.id);
    },
    onMachine: (machine) => {
      narrator.machine(machine);
      lost.changed(machine);
      if (!machine.isKnown) knownSinceMs.delete(machine.id);
      else {
        leases.wake(machine.id);
        if (machine.peer !== null) own(homes.cleanUp(machine.peer, signal));
        if (!knownSinceMs.has(machine.id)) knownSinceMs.set(machine.id, steadyNowMs());
        if (fleet.isKnown) routes.open();
        observeDraining();
      }
      wakeAll();
    },
  });
  const drainMsOf = (workload: string) => {
    const [space, app, , release] = workload.split("/");
    const found = objects.release(store, space as SpaceName, app as AppName, Number(release));
    return found?.value.spec.stop.drainMs ?? unknownDrainMs;
  };
  const everyInstance = function* () {
    for (const app of fleet.apps()) for (const workload of fleet.workloads(app)) yield* workload.instances.values();
  };
  const observeDraining = () => {
    for (const instance of everyInstance()) drainer.observe(instance, drainMsOf(instance.workload));
  };

  const fragmentOf = (id: AppId, neededPorts: ReadonlySet<number>): Fragment | null => {
    const [space, name] = id.split("/") as [SpaceName, AppName];
    const app = objects.app(store, space, name);
    if (app === null) return null;
    const observed = observedForRoutes(id);
    const numbers = new Set([app.value.active, app.value.target, ...observed.map(({ release }) => release)]);
    const releases = new Map(
      [...numbers].flatMap((number) => {
        const release = number === null ? null : objects.release(store, space, name, number);
        return release === null ? [] : [[release.value.number, release.value] as const];
      }),
    );
    const rollout = objects.rollout(store, space, name)?.value ?? null;
    return {
      routes: planRoutes({ app: app.value, releases, rollout, observed, neededPorts, entryOf }),
      needs: planNeeds({ app: app.value, releases, observed }),
      appCreatedAtMs: app.value.createdAtMs,
    };
  };
  const observedForRoutes = (id: AppId) => observe(fleet, id, () => true);
  const addressesOf = ({ space, spec }: Release): readonly RouteId[] =>
    Object.entries(spec.needs).flatMap(([name, { port }]) => {
      const needed = objects.app(store, space, name as AppName);
      const route = needed === null ? null : serviceRouteId(needed.value, port);
      return route === null ? [] : [route];
    });
  const appIdOf = (app: Pick<App, "space" | "name">) => appId(app.space, app.name);

  const reviews = new Reviews({ store, fleet, lost: options.lost ?? [] });
  const { unmended = async () => [] } = options;
  const rebalancer = new Rebalancer({ store, fleet, events, reviews, clock, log, unmended, wake: (app) => queue.wake(app) }, signal);
  const lost = new LostMachines(
    {
      store,
      fleet,
      clock,
      lostAfterMs,
      log,
      onLost: (machine, instances) => {
        narrator.machineLost(machine, instances);
        if (fleet.isKnown) routes.open();
        routes.edgeLost(machine);
        wakeAll();
      },
    },
    signal,
  );
  const isEdge = (machine: MachineId) =>
    suits({ id: machine, labels: standingOf(store, machine).labels }, { labels: edges, pool: null, spread: null });
  const leases = new Leases({ store, fleet, clock, steadyNowMs, lostAfterMs, log }, signal);
  const homes = new AppHomes({ store, fleet, narrator, log });
  const routes: RoutesController = new RoutesController(
    {
      addressOf: (machine) => fleet.addressOf(machine),
      epoch: store.epoch,
      fragmentOf,
      keptBeside: () => reviews.unknown(),
      apps: () => objects.apps(store).map(({ value }) => appIdOf(value)),
      narrator,
      clock,
      random,
      log,
      onEdges: () => drainer.edgesChanged(),
      onConflict: (app) => subscribers.changed(app),
      isEdge,
    },
    signal,
  );
  const drainer = new Drainer({ fleet, edges: () => routes.senders, clock, random, log }, signal);
  const traffic = new TrafficMonitor({ edges: () => routes.peers, clock, log, onTraffic: (app) => queue.wake(app) }, signal);
  const apps = new AppController({
    store,
    fleet,
    secrets,
    reviews,
    mostOf: (app) => rebalancer.mostOf(app),
    isPrivate: options.entryOf !== undefined,
    narrator,
    clock,
    steadyNowMs,
    agentSinceMs,
    copies: new ArtifactCopies(fleet, log),
    homes,
    leases,
    random,
    log,
    trafficOf: (app, rollout) => traffic.trafficOf(app, rollout),
    addressesOpened: (release, until) => routes.opened(addressesOf(release), until),
    onStatus: (app) => {
      routes.wake(app);
      subscribers.changed(app);
    },
  });
  const queue = new WorkQueue<AppId>({ concurrency, work: (app, until) => apps.pass(app, until), clock }, signal);

  const wakeAll = () => {
    for (const { value } of objects.apps(store)) queue.wake(appIdOf(value));
    for (const app of fleet.apps()) if (!isStepsApp(app)) queue.wake(app);
  };
  const onKey = (key: string) => {
    const app = appOfKey(key);
    if (app === null) return;
    queue.wake(app);
    routes.wake(app);
    subscribers.changed(app);
    if (objects.app(store, ...(app.split("/") as [SpaceName, AppName])) === null) traffic.forget(app);
  };
  for (const prefix of ["/apps/", "/releases/", "/rollouts/", "/ahead/"]) own(followStore(prefix, onKey, wakeAll, options, signal));
  const onMachineKey = (key: string) => {
    fleet.standingChanged(key.slice(key.lastIndexOf("/") + 1) as MachineId);
    onMachines();
  };
  const onMachines = () => {
    routes.placesChanged();
    wakeAll();
  };
  for (const prefix of ["/standings/", "/machines/"]) own(followStore(prefix, onMachineKey, onMachines, options, signal));
  wakeAll();

  const stopped = (async () => {
    await Promise.all([queue.stopped(), routes.stopped(), drainer.stopped(), lost.stopped(), traffic.stopped(), rebalancer.stopped()]);
    await Promise.all(running);
  })();

  return {
    fleet,
    apps,
    routes,
    subscribers,
    reviews,
    rebalancer,
    isEdge,
    steadyNowMs,
    busy: () => queue.size,
    agentLinked: (peer) => {
      own(followAgent(peer, { fleet, clock, log }, signal));
      // What runs beside the server runs as long as there is a server that could say otherwise.
      if (peer.isRemote) own(leases.follow(peer));
    },
    edgeLinked: (peer) => {
      routes.link(
        peer,
        [...everyInstance()].filter(({ state }) => state === "draining").map(({ id }) => id),
      );
    },
    stopped,
  };
}

/** The app that a key of the store belongs to; null if it belongs to none. */
function appOfKey(key: string): AppId | null {
  const [, , space, app] = key.split("/");
  return space && app ? appId(space as SpaceName, app as AppName) : null;
}
