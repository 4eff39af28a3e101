import { setImmediate as nextTurn } from "node:timers/promises";
import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type AppName, appId, type InstanceId, type MachineId, type RouteId, type SpaceName } from "#model/names.ts";
import type { Endpoint, Route } from "#model/routing-table.ts";
import { Wakeup } from "#model/wakeup.ts";
import { diffRoutes } from "#plan/routes/claims.ts";
import type { EdgePeer } from "../fleet/peers.ts";
import { Backoff } from "./backoff.ts";

export interface EdgeSyncOptions {
  readonly peer: EdgePeer;
  readonly epoch: number;
  /** The routes in force, by id; read at the moment of sending. */
  readonly routes: () => ReadonlyMap<RouteId, Route>;
  /** Apps of which the edge keeps the routes that it has, because nobody else knows them. */
  readonly keptBeside: () => ReadonlySet<AppId>;
  /** Where other machines reach the edge's own; null where there are no others. */
  readonly addressOf: (machine: MachineId) => string | null;
  /** A revision above every one given before, and above `seen`. */
  readonly nextRevision: (seen: number) => number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** The edge confirmed a table, or let go of an instance. */
  readonly onProgress: () => void;
  readonly onSent: (set: number, removed: number, revision: number) => void;
}

/**
 * Keeps one edge's table equal to the routes in force: the whole table when the edge links or when its table is another one than thought,
 * differences after that, one at a time. What changes while one is under way goes with the next, so changes coalesce by themselves.
 */
export class EdgeSync {
  readonly machine: MachineId;
  readonly #options: EdgeSyncOptions;
  readonly #changed = new Set<RouteId>();
  readonly #confirmed = new Map<RouteId, Route>();
  /** How many confirmed routes have the instance. */
  readonly #held = new Map<InstanceId, number>();
  /** Left the table; the edge has not yet said that nothing is open on them. */
  readonly #letGo = new Set<InstanceId>();
  #kept: ReadonlySet<AppId> = new Set();
  #revision: number | null = null;
  #isWhole = true;
  readonly #wakeup = new Wakeup();
  #isLinked = true;

  constructor(options: EdgeSyncOptions) {
    this.#options = options;
    this.machine = options.peer.machine;
  }

  /** Of the table that it confirmed last; null before the first. */
  get revision(): number | null {
    return this.#revision;
  }

  get isLinked(): boolean {
    return this.#isLinked;
  }

  close(): void {
    this.#options.peer.close();
  }

  change(routes: ReadonlySet<RouteId>): void {
    for (const id of routes) this.#changed.add(id);
    this.#wakeup.wake();
  }

  /** What is kept of an app's routes may have to go. */
  appChanged(app: AppId): void {
    if (!this.#kept.has(app)) return;
    this.#isWhole = true;
    this.#wakeup.wake();
  }

  /** Whether it is in the table that this edge confirmed last. */
  has(route: RouteId): boolean {
    return this.#confirmed.has(route);
  }

  /** Whether this edge neither sends new requests to the instance nor has old ones open on it, as far as it has said. */
  isDone(instance: InstanceId): boolean {
    return this.#revision !== null && !this.#held.has(instance) && !this.#letGo.has(instance);
  }

  /** Instances that were draining when the edge linked: it may have them in its table from disk. */
  expect(instances: Iterable<InstanceId>): void {
    for (const id of instances) this.#letGo.add(id);
  }

  async run(parent: AbortSignal): Promise<void> {
    const { peer } = this.#options;
    const signal = AbortSignal.any([parent, peer.gone]);
    try {
      await Promise.all([this.#sendChanges(signal), this.#followDraining(signal)]);
    } finally {
      this.#isLinked = false;
    }
  }

  async #sendChanges(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    const backoff = new Backoff<"edge">(random);
    while (!signal.aborted) {
      if (!this.#isWhole && this.#changed.size === 0) {
        await this.#wakeup.wait(signal);
        // Changes that are reported together are sent together.
        await nextTurn();
        continue;
      }
      try {
        if (this.#isWhole) await this.#sendTable(signal);
        else await this.#sendPatch(signal);
        backoff.succeeded("edge");
      } catch (error) {
        if (signal.aborted) return;
        this.#isWhole = true;
        const isOther = error instanceof DroverError && error.code === "CONFLICT";
        log[isOther ? "info" : "warn"]("table not taken by edge", { machine: this.machine, ...errorFields(error) });
        if (!isOther || backoff.failures("edge") > 0) await pause(clock, backoff.failed("edge"), signal);
        else backoff.failed("edge");
      }
    }
  }

  async #sendTable(signal: AbortSignal): Promise<void> {
    const { peer, epoch, routes, nextRevision, onSent } = this.#options;
    const seen = await peer.revision(signal);
    const revision = nextRevision(seen.epoch === epoch ? seen.revision : 0);
    this.#changed.clear();
    this.#isWhole = false;
    const kept = await this.#routesKept(signal);
    const own = [...routes().values()];
    const table = [...own, ...kept];
    this.#expectGone(this.#confirmed.values(), table);
    failpoint("edge.table.before");
    await peer.putTable({ epoch, revision, routes: [...own.map((route) => this.#asSeenHere(route)), ...kept] }, signal);
    failpoint("edge.table.after");
    this.#confirmed.clear();
    this.#held.clear();
    for (const route of table) this.#confirm(route);
    this.#revision = revision;
    onSent(table.length, 0, revision);
    this.#options.onProgress();
  }

  /** As the edge has them, which is how they are seen there. */
  async #routesKept(signal: AbortSignal): Promise<readonly Route[]> {
    const { peer, routes, keptBeside } = this.#options;
    this.#kept = keptBeside();
    if (this.#kept.size === 0) return [];
    const had = await peer.routes(signal);
    return had.filter(({ id, space, app }) => this.#kept.has(appId(space as SpaceName, app as AppName)) && !routes().has(id));
  }

  async #sendPatch(signal: AbortSignal): Promise<void> {
    const { peer, epoch, routes, nextRevision, onSent } = this.#options;
    const from = this.#revision ?? 0;
    const { set, remove } = diffRoutes(this.#changed, this.#confirmed, routes());
    this.#changed.clear();
    if (set.length === 0 && remove.length === 0) return;
    const revision = nextRevision(from);
    this.#expectGone(
      [...set.map((route) => route.id), ...remove].flatMap((id) => this.#confirmed.get(id) ?? []),
      set,
    );
    failpoint("edge.patch.before");
    await peer.patchTable({ epoch, from, revision, set: set.map((route) => this.#asSeenHere(route)), remove }, signal);
    failpoint("edge.patch.after");
    for (const id of remove) this.#unconfirm(id);
    for (const route of set) this.#confirm(route);
    this.#revision = revision;
    onSent(set.length, remove.length, revision);
    this.#options.onProgress();
  }

  /** What is on the edge's own machine it reaches by loopback, where also those listen that listen nowhere else. */
  #asSeenHere(route: Route): Route {
    const address = this.#options.addressOf(this.machine);
    if (address === null || !route.targets.some(({ endpoints }) => endpoints.some(({ host }) => host === address))) return route;
    const here = ({ entry, ...endpoint }: Endpoint): Endpoint =>
      endpoint.host === address ? { ...endpoint, host: "127.0.0.1" } : { ...endpoint, ...(entry === undefined ? {} : { entry }) };
    return { ...route, targets: route.targets.map((target) => ({ ...target, endpoints: target.endpoints.map(here) })) };
  }

  /** Noted before the edge is told, because its report that nothing is open can come before its answer. */
  #expectGone(before: Iterable<Route>, after: readonly Route[]): void {
    const kept = new Set(after.flatMap(instancesOf));
    for (const route of before) for (const id of instancesOf(route)) if (!kept.has(id)) this.#letGo.add(id);
  }

  #confirm(route: Route): void {
    this.#unconfirm(route.id);
    this.#confirmed.set(route.id, route);
    for (const id of instancesOf(route)) {
      this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
      this.#letGo.delete(id);
    }
  }

  #unconfirm(id: RouteId): void {
    const route = this.#confirmed.get(id);
    if (route === undefined) return;
    this.#confirmed.delete(id);
    for (const instance of instancesOf(route)) {
      const left = (this.#held.get(instance) ?? 1) - 1;
      if (left > 0) this.#held.set(instance, left);
      else this.#held.delete(instance);
    }
  }

  async #followDraining(signal: AbortSignal): Promise<void> {
    const { peer, clock, log, random } = this.#options;
    const backoff = new Backoff<"edge">(random);
    while (!signal.aborted) {
      try {
        for await (const { instance, open } of peer.draining(signal)) {
          backoff.succeeded("edge");
          if (open > 0) this.#letGo.add(instance);
          else if (this.#letGo.delete(instance)) this.#options.onProgress();
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("draining reports of edge broke off", { machine: this.machine, ...errorFields(error) });
      }
      await pause(clock, backoff.failed("edge"), signal);
    }
  }
}

function instancesOf(route: Route): readonly InstanceId[] {
  return route.targets.flatMap((target) => target.endpoints.map((endpoint) => endpoint.instance));
}
