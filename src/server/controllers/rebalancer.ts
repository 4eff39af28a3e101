import { errorFields } from "#host/log.ts";
import type { ProcessSpec } from "#model/app.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type AppName, appId, type MachineId, type ProcessName, type SpaceName } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import { anywhere } from "#plan/placement/plan-placement.ts";
import { type Balanced, type Move, planRebalance } from "#plan/placement/plan-rebalance.ts";
import { isLeaving, isReady } from "#plan/rollout/counts.ts";
import { wantedOf } from "#plan/rollout/orders.ts";
import type { EventSink } from "../events/event-log.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { keys, objects, put, read, remove } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { Reviews } from "./reviews.ts";

/** How often an app that moves is looked at: a start and a drain take seconds. */
const lookEveryMs = 250;

export interface AppMove extends Omit<Move, "name"> {
  readonly space: SpaceName;
  readonly app: AppName;
  readonly process: ProcessName;
}

/** What is left as it is, and why. */
export interface Unmoved {
  readonly space: SpaceName;
  readonly app: AppName;
  readonly reason: string;
}

export interface Rebalancing {
  readonly moves: readonly AppMove[];
  readonly left: readonly Unmoved[];
}

export interface RebalanceProgress {
  readonly state: "running" | "done" | "stopped";
  readonly total: number;
  /** Of `total`, those that are done. */
  readonly moved: number;
  /** Why it was stopped; null while it was not. */
  readonly reason: string | null;
}

/** What was asked for, while it is under way. */
interface StoredRebalance {
  /** Of the store: what a restored backup has of it nobody has asked for. */
  readonly epoch: number;
  /** Those that are left to do, in this order. */
  readonly apps: readonly AppId[];
  readonly total: number;
  readonly moved: number;
}

/** After a restart, instances that were on their way are ready or gone within a start and a drain. What is not by then stays where it is. */
const settleMs = 60_000;
const notReady = "not all of it is ready";

export interface RebalancerOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  /** Who is told of what goes on after a restart. */
  readonly events: EventSink;
  readonly reviews: Pick<Reviews, "of">;
  readonly clock: Clock;
  /** What checks of an app want people to look at. */
  readonly unmended: (space: SpaceName, app: AppName) => Promise<readonly { readonly message: string }[]>;
  readonly log: Log;
  /** Plans the app anew. */
  readonly wake: (app: AppId) => void;
}

/**
 * Makes instances more even over the machines, once and on request: one app after another, each by the steps of a rollout, which start an instance before
 * one is taken away. Which apps are left to do is stored, so that people who have decided are not asked again: a server that was restarted goes on with these, by
 * what it finds then.
 */
export class Rebalancer {
  readonly #options: RebalancerOptions;
  readonly #signal: AbortSignal;
  #most: { readonly app: AppId; readonly byProcess: ReadonlyMap<ProcessName, ReadonlyMap<MachineId, number>> } | null = null;
  #progress: RebalanceProgress | null = null;
  #running: { readonly done: Promise<void>; readonly stop: AbortController } | null = null;

  constructor(options: RebalancerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#goOn();
  }

  /** Of the last one that was asked for since the server's start, or goes on since then; null if none was. */
  get progress(): RebalanceProgress | null {
    return this.#progress;
  }

  /** The most instances that each machine is to keep of the app's processes. */
  mostOf(app: AppId): ReadonlyMap<ProcessName, ReadonlyMap<MachineId, number>> | undefined {
    return this.#most?.app === app ? this.#most.byProcess : undefined;
  }

  /** What would move and what would not. @param which one app; null: all */
  plan(which: AppId | null): Rebalancing {
    const { moves, left } = this.#decide(meant(which));
    return { moves, left };
  }

  /** Begins to carry the plan out. @throws {DroverError} CONFLICT while another one is under way */
  async start(which: AppId | null, events: EventSink): Promise<Rebalancing> {
    if (this.#running !== null)
      throw new DroverError("CONFLICT", "instances are being moved already", { hint: '"drover rebalance --stop" ends that.' });
    const decided = this.#decide(meant(which));
    const { moves, left } = decided;
    if (moves.length === 0) return { moves, left };
    const progress = { total: moves.length, moved: 0 };
    const noted = this.#note(appsOf(moves), progress);
    const begin = async () => {
      await noted;
      return decided;
    };
    this.#begin(progress, begin, events);
    await noted;
    events.append({ kind: "rebalance.started", message: `${count(moves.length)} to move to other machines` });
    return { moves, left };
  }

  #begin(progress: Pick<RebalanceProgress, "total" | "moved">, decide: (until: AbortSignal) => Promise<Decided>, events: EventSink): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    this.#progress = { state: "running", ...progress, reason: null };
    this.#running = { done: this.#run(decide, events, signal), stop };
  }

  /** What an earlier server had begun. */
  #goOn(): void {
    const { store, events } = this.#options;
    const stored = read<StoredRebalance>(store, keys.rebalance)?.value;
    if (stored === undefined || stored.epoch !== store.epoch) return;
    const { apps, total, moved } = stored;
    const decide = async (until: AbortSignal) => {
      await this.#settled(apps, until);
      const decided = this.#decide((id) => apps.includes(id));
      // What is not to be moved any more has been.
      const left = decided.moves.length;
      this.#progress = { state: "running", total: Math.max(total, left), moved: Math.max(total - left, 0), reason: null };
      return decided;
    };
    this.#begin({ total, moved }, decide, events);
  }

  /** Waits until machines have told what they run, and what was on its way is there. */
  async #settled(apps: readonly AppId[], signal: AbortSignal): Promise<void> {
    const { clock, fleet } = this.#options;
    const startedMs = clock.monotonicMs();
    const isSettled = () => fleet.isKnown && apps.every((app) => this.#whyNot(app) !== notReady);
    while (!signal.aborted && !isSettled() && clock.monotonicMs() - startedMs < settleMs) await pause(clock, lookEveryMs, signal);
  }

  /** It is over. A server that ends leaves it to the next one. */
  async #forget(): Promise<void> {
    if (this.#signal.aborted) return;
    try {
      await this.#note([], { total: 0, moved: 0 });
    } catch (error) {
      this.#options.log.error("that no instances are moved any more could not be stored", errorFields(error));
    }
  }

  /** @param apps that are left to do; none: it is over */
  async #note(apps: readonly AppId[], { total, moved }: Pick<RebalanceProgress, "total" | "moved">): Promise<void> {
    const { store } = this.#options;
    const stored: StoredRebalance = { epoch: store.epoch, apps, total, moved };
    await store.commit({ changes: [apps.length === 0 ? remove(keys.rebalance) : put(keys.rebalance, stored)] });
  }

  /** What has moved stays; what is on its way goes back to one place. */
  async stop(): Promise<void> {
    const running = this.#running;
    running?.stop.abort(new Error("it was stopped by people"));
    await running?.done;
  }

  async stopped(): Promise<void> {
    await this.#running?.done;
  }

  #decide(isMeant: (app: AppId) => boolean): Decided {
    const { store, fleet } = this.#options;
    const left: Unmoved[] = [];
    const processes: (Balanced & { readonly app: AppId })[] = [];
    for (const { value: app } of objects.apps(store)) {
      const id = appId(app.space, app.name);
      if (!isMeant(id)) continue;
      const reason = this.#whyNot(id);
      if (reason === null) processes.push(...this.#processesOf(id));
      else if (fleet.workloads(id).length > 0) left.push({ space: app.space, app: app.name, reason });
    }
    const { moves, after } = planRebalance(processes, fleet.rooms());
    return { moves: moves.map(asAppMove), left, after };
  }

  /** Why the app stays as it is, in words; null if it may move. */
  #whyNot(id: AppId): string | null {
    const { store, fleet, reviews } = this.#options;
    const [space, name] = id.split("/") as [SpaceName, AppName];
    const app = objects.app(store, space, name)?.value;
    if (app === undefined || app.destroying) return "it is being destroyed";
    if (app.stopped) return "it is stopped";
    if (reviews.of(id) !== null) return "it waits for a decision after a restore";
    const spec = app.target === null ? undefined : objects.release(store, space, name, app.target)?.value.spec;
    if (spec === undefined || app.active !== app.target || objects.rollout(store, space, name) !== null) return "it is being deployed";
    if (spec.volumes.length > 0) {
      const home = read<{ readonly machine: MachineId }>(store, keys.home(space, name))?.value.machine;
      return `its volumes are on ${home ?? "its machine"}`;
    }
    if (Object.values(spec.processes).every(({ onlyOne }) => onlyOne === true))
      return "it must never run twice, and would be away while it moves";
    const services = fleet.workloads(id).filter(({ kind }) => kind === "service");
    for (const { isRemoving, instances } of services)
      for (const instance of instances.values()) if (isRemoving || !isReady(instance)) return notReady;
    // One more of them, all ready, is on its way from one machine to another: which of them goes is not decided yet.
    for (const process of Object.keys(spec.processes) as ProcessName[]) {
      const told = services.reduce((sum, one) => sum + (one.name.process === process ? one.count : 0), 0);
      if (told !== wantedOf(app, process)) return notReady;
    }
    return null;
  }

  #processesOf(id: AppId): readonly (Balanced & { readonly app: AppId })[] {
    const { store, fleet } = this.#options;
    const [space, name] = id.split("/") as [SpaceName, AppName];
    const app = objects.app(store, space, name)?.value;
    const spec = app?.target == null ? undefined : objects.release(store, space, name, app.target)?.value.spec;
    return (Object.entries(spec?.processes ?? {}) as [ProcessName, ProcessSpec][]).flatMap(([process, { onlyOne, resources }]) => {
      const own = fleet.workloads(id).filter((one) => one.kind === "service" && one.name.process === process && one.count > 0);
      if (onlyOne === true) return [];
      const on = new Map(own.map(({ machine, count: there }) => [machine, there]));
      return [{ app: id, name: `${id}/${process}`, on, resources, rules: { ...anywhere, ...app?.place, only: null } }];
    });
  }

  async #run(decide: (until: AbortSignal) => Promise<Decided>, events: EventSink, signal: AbortSignal): Promise<void> {
    let reason: string | null = null;
    try {
      const { moves, after } = await decide(signal);
      const apps = appsOf(moves);
      for (const [index, app] of apps.entries()) {
        const own = moves.filter((move) => appId(move.space, move.app) === app);
        const byProcess = new Map(own.map(({ process }) => [process, after.get(`${app}/${process}`) ?? new Map<MachineId, number>()]));
        reason = await this.#moveApp(app, byProcess, signal);
        if (reason !== null) break;
        const { total, moved } = this.#progress ?? { total: moves.length, moved: 0 };
        this.#progress = { state: "running", total, moved: moved + own.length, reason: null };
        if (index + 1 < apps.length) await this.#note(apps.slice(index + 1), this.#progress);
      }
    } catch (error) {
      reason = "an internal error occurred";
      this.#options.log.error("instances not moved", errorFields(error));
    } finally {
      await this.#forget();
      const last = this.#most?.app;
      this.#most = null;
      this.#running = null;
      if (last !== undefined) this.#options.wake(last);
      const { total = 0, moved = 0 } = this.#progress ?? {};
      this.#progress = { state: reason === null ? "done" : "stopped", total, moved, reason };
      if (!this.#signal.aborted)
        events.append({
          kind: reason === null ? "rebalance.done" : "rebalance.stopped",
          message:
            reason === null
              ? `${count(moved)} moved to other machines`
              : `${moved} of ${count(total)} moved, then it was stopped: ${reason}`,
        });
    }
  }

  /** @returns why it was stopped; null once all of the app is where it is to be */
  async #moveApp(
    app: AppId,
    byProcess: ReadonlyMap<ProcessName, ReadonlyMap<MachineId, number>>,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { clock, store, wake, unmended } = this.#options;
    const [space, name] = app.split("/") as [SpaceName, AppName];
    this.#most = { app, byProcess };
    wake(app);
    let seen = "";
    let sinceMs = clock.monotonicMs();
    for (;;) {
      if (signal.aborted) return signal.reason instanceof Error ? signal.reason.message : "it was stopped";
      const found = objects.app(store, space, name)?.value;
      if (found === undefined || found.active !== found.target || found.stopped || found.destroying) return `${app} was changed meanwhile`;
      const failing = (await unmended(space, name))[0];
      if (failing !== undefined) return `a check of ${app} fails: ${failing.message}`;
      const { isSettled, broken, state } = this.#look(app, byProcess);
      if (broken !== null) return `${broken} of ${app} does not stay up`;
      if (isSettled) return null;
      const nowMs = clock.monotonicMs();
      if (state !== seen) [seen, sinceMs] = [state, nowMs];
      if (nowMs - sinceMs > found.deploy.deadline) return `nothing of ${app} has moved within ${formatDuration(found.deploy.deadline)}`;
      await pause(clock, lookEveryMs, signal);
    }
  }

  #look(app: AppId, byProcess: ReadonlyMap<ProcessName, ReadonlyMap<MachineId, number>>) {
    let isSettled = true;
    let broken: string | null = null;
    const states: string[] = [];
    for (const { kind, name, machine, count: there, instances } of this.#options.fleet.workloads(app)) {
      const most = byProcess.get(name.process);
      if (kind !== "service" || most === undefined) continue;
      if (there > (most.get(machine) ?? 0)) isSettled = false;
      for (const instance of instances.values()) {
        states.push(`${instance.id} ${instance.state} ${instance.ready}`);
        if (instance.state === "backoff") broken = instance.id;
        if (!isReady(instance) || isLeaving(instance)) isSettled = false;
      }
    }
    return { isSettled, broken, state: states.sort().join() };
  }
}

interface Decided extends Rebalancing {
  /** By app and process, where its instances are once all has moved. */
  readonly after: ReadonlyMap<string, ReadonlyMap<MachineId, number>>;
}

function meant(which: AppId | null): (app: AppId) => boolean {
  return (app) => which === null || which === app;
}

function appsOf(moves: readonly AppMove[]): readonly AppId[] {
  return [...new Set(moves.map(({ space, app }) => appId(space, app)))];
}

function asAppMove({ name, from, to, reason }: Move): AppMove {
  const [space, app, process] = name.split("/") as [SpaceName, AppName, ProcessName];
  return { space, app, process, from, to, reason };
}

function count(moves: number): string {
  return moves === 1 ? "1 instance" : `${moves} instances`;
}
