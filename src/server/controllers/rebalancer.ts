import { errorFields } from "#host/log.ts";
import type { App, ProcessSpec } from "#model/app.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type AppName, appId, type MachineId, type ProcessName, type SpaceName } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import { anywhere, isAllowed, type PlacementRules, suits } from "#plan/placement/plan-placement.ts";
import { type Balanced, type Move, planRebalance } from "#plan/placement/plan-rebalance.ts";
import { isReady } from "#plan/rollout/counts.ts";
import { wantedOf } from "#plan/rollout/orders.ts";
import type { EventSink } from "../events/event-log.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { findMember } from "../members/members.ts";
import { keys, objects, put, read } from "../objects/objects.ts";
import type { Receipt } from "../operations/receipt.ts";
import type { Store } from "../store/store.ts";
import { type AppWork, type Most, meantInAll, meantOf, mostFrom, workOf } from "./rebalance-work.ts";
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

/** What was decided, or how it ended, for those who wait for it while servers come and go. */
interface StoredRebalance extends Ended {
  /** Of the store: what a restored backup has of it nobody has asked for. */
  readonly epoch: number;
  /** Apps that are left to do, in this order; none: it is over. Missing in what a server of before has stored, which is not gone on with. */
  readonly work?: readonly AppWork[];
}

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
 * one is taken away. What is to be where is stored, so that people who have decided are not asked again, and a server that was restarted goes on in the middle
 * of a move as the one before it would have: what is half moved looks even, and what is too much of it could go from either side.
 */
export class Rebalancer {
  readonly #options: RebalancerOptions;
  readonly #signal: AbortSignal;
  #most: { readonly app: AppId; readonly byProcess: Most } | null = null;
  #progress: RebalanceProgress | null = null;
  #running: { readonly done: Promise<void>; readonly stop: AbortController } | null = null;

  constructor(options: RebalancerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#goOn();
  }

  /** Of the last one; null if none was, or if a backup was restored since. */
  get progress(): RebalanceProgress | null {
    return this.#progress;
  }

  /** The most instances that each machine is to keep of the app's processes. */
  mostOf(app: AppId): Most | undefined {
    return this.#most?.app === app ? this.#most.byProcess : undefined;
  }

  /** What would move and what would not. @param which one app; null: all */
  plan(which: AppId | null): Rebalancing {
    const { moves, left } = this.#decide(which);
    return { moves, left };
  }

  /**
   * Begins to carry the plan out.
   * @param receipt keeps the answer, so that a caller who has not heard it is not told that somebody else is at it
   * @throws {DroverError} CONFLICT while another one is under way
   */
  async start(which: AppId | null, events: EventSink, receipt: Receipt | null = null): Promise<Rebalancing> {
    if (this.#running !== null)
      throw new DroverError("CONFLICT", "instances are being moved already", { hint: '"drover rebalance --stop" ends that.' });
    const { moves, left, after } = this.#decide(which);
    if (moves.length === 0) return { moves, left };
    const total = moves.length;
    const work = workOf(moves, after);
    const noted = this.#note(work, { total, moved: 0, reason: null }, receipt?.keep({ moves, left }));
    this.#begin(noted, work, { total, moved: 0 }, events);
    await noted;
    events.append({ kind: "rebalance.started", message: `${count(total)} to move to other machines` });
    return { moves, left };
  }

  /** @param noted once it is stored: before that, nobody who sees it under way could rely on it */
  #begin(noted: Promise<void>, work: readonly AppWork[], progress: Pick<RebalanceProgress, "total" | "moved">, events: EventSink): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    const run = async () => {
      this.#progress = { state: "running", ...progress, reason: null };
      await this.#run(work, events, signal);
    };
    const notBegun = () => {
      // Whoever asked for it is told.
      this.#running = null;
    };
    this.#running = { done: noted.then(run, notBegun), stop };
  }

  /** What an earlier server had begun. */
  #goOn(): void {
    const { store, events } = this.#options;
    const stored = read<StoredRebalance>(store, keys.rebalance)?.value;
    if (stored?.work === undefined || stored.epoch !== store.epoch) return;
    const { work, total, moved, reason } = stored;
    if (work.length > 0) this.#begin(Promise.resolve(), work, { total, moved }, events);
    else this.#progress = { state: reason === null ? "done" : "stopped", total, moved, reason };
  }

  /** It is over. A server that ends leaves it to the next one. */
  async #noteEnd(ended: Ended): Promise<void> {
    if (this.#signal.aborted) return;
    try {
      await this.#note([], ended);
    } catch (error) {
      this.#options.log.error("that no instances are moved any more could not be stored", errorFields(error));
    }
  }

  /** @param work that is left to do; none: it is over */
  async #note(work: readonly AppWork[], { total, moved, reason }: Ended, kept?: ReturnType<Receipt["keep"]>): Promise<void> {
    const { store } = this.#options;
    const stored: StoredRebalance = { epoch: store.epoch, work, total, moved, reason };
    const change = put(keys.rebalance, stored);
    await store.commit({
      conditions: kept === undefined ? [] : [kept.condition],
      changes: kept === undefined ? [change] : [change, kept.change],
    });
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

  #decide(which: AppId | null): Decided {
    const { store, fleet } = this.#options;
    const left: Unmoved[] = [];
    const processes: (Balanced & { readonly app: AppId })[] = [];
    for (const { value: app } of objects.apps(store)) {
      const id = appId(app.space, app.name);
      if (which !== null && which !== id) continue;
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
    if (app === undefined) return [];
    return (Object.entries(spec?.processes ?? {}) as [ProcessName, ProcessSpec][]).flatMap(([process, { onlyOne, resources }]) => {
      const own = fleet.workloads(id).filter((one) => one.kind === "service" && one.name.process === process && one.count > 0);
      if (onlyOne === true) return [];
      const on = new Map(own.map(({ machine, count: there }) => [machine, there]));
      return [{ app: id, name: `${id}/${process}`, on, resources, rules: rulesOf(app) }];
    });
  }

  async #run(work: readonly AppWork[], events: EventSink, signal: AbortSignal): Promise<void> {
    let reason: string | null = null;
    try {
      for (const [index, one] of work.entries()) {
        reason = await this.#moveApp(one, signal);
        if (reason !== null) break;
        if (index + 1 < work.length && this.#progress !== null) await this.#note(work.slice(index + 1), this.#progress);
      }
    } catch (error) {
      reason = "an internal error occurred";
      this.#options.log.error("instances not moved", errorFields(error));
    } finally {
      const { total = 0, moved = 0 } = this.#progress ?? {};
      await this.#noteEnd({ total, moved, reason });
      const last = this.#most?.app;
      this.#most = null;
      this.#running = null;
      if (last !== undefined) this.#options.wake(last);
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
  async #moveApp(work: AppWork, signal: AbortSignal): Promise<string | null> {
    const { clock, fleet, store, wake, unmended } = this.#options;
    const { app, moves } = work;
    const [space, name] = app.split("/") as [SpaceName, AppName];
    const byProcess = mostFrom(work);
    const { total, moved: before } = this.#progress ?? { total: moves, moved: 0 };
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
      if (fleet.isKnown) {
        const { isSettled, broken, toMove, state } = this.#look(app, byProcess);
        this.#progress = { state: "running", total, moved: before + Math.max(0, moves - toMove), reason: null };
        if (broken !== null) return `${broken} of ${app} does not stay up`;
        if (isSettled) return null;
        const obstacle = this.#obstacle(found, byProcess);
        if (obstacle !== null) return obstacle;
        if (state !== seen) [seen, sinceMs] = [state, clock.monotonicMs()];
      }
      if (clock.monotonicMs() - sinceMs > found.deploy.deadline)
        return `nothing of ${app} has moved within ${formatDuration(found.deploy.deadline)}`;
      await pause(clock, lookEveryMs, signal);
    }
  }

  #look(app: AppId, byProcess: Most) {
    let broken: string | null = null;
    let toMove = 0;
    let told = 0;
    let isStill = true;
    const states: string[] = [];
    for (const { kind, name, machine, count: there, instances } of this.#options.fleet.workloads(app)) {
      const most = byProcess.get(name.process);
      if (kind !== "service" || most === undefined) continue;
      told += there;
      toMove += Math.max(0, there - (most.get(machine) ?? 0));
      // What was told is not done yet: who is to go still looks as before.
      if (instances.size !== there) isStill = false;
      for (const instance of instances.values()) {
        states.push(`${instance.id} ${instance.state} ${instance.ready}`);
        if (instance.state === "backoff") broken = instance.id;
        if (!isReady(instance)) isStill = false;
      }
    }
    const isSettled = isStill && toMove === 0 && told === meantInAll(byProcess);
    return { isSettled, broken, toMove, state: states.sort().join() };
  }

  /** Whether it was given up or removed. One that is merely away for a moment is waited for. */
  #isLost(machine: MachineId): boolean {
    const { fleet, store } = this.#options;
    const known = fleet.machines().find(({ id }) => id === machine);
    return known === undefined || (known.isRemote && findMember(store, machine)?.lostAtMs !== undefined);
  }

  /** Why it cannot come to what was decided any more, in words: waiting for it, instances would go to and fro. */
  #obstacle(app: App, byProcess: Most): string | null {
    const { fleet } = this.#options;
    const id = appId(app.space, app.name);
    const rooms = new Map(fleet.rooms().map((room) => [room.id, room]));
    for (const [process, most] of byProcess) {
      if (meantOf(most) !== wantedOf(app, process)) return `${id} was scaled meanwhile`;
      for (const [machine, count] of most) {
        const own = fleet.workloads(id).find((one) => one.machine === machine && one.name.process === process && one.kind === "service");
        const lacks = (own?.count ?? 0) < count;
        const room = rooms.get(machine);
        if (lacks && (room === undefined ? this.#isLost(machine) : !isAllowed(room, rulesOf(app))))
          return `${machine} takes nothing of ${id} any more`;
        if (count > 0 && room !== undefined && (room.isDraining || !suits(room, rulesOf(app)))) return `${id} is to leave ${machine}`;
      }
    }
    return null;
  }
}

type Ended = Pick<RebalanceProgress, "total" | "moved" | "reason">;

interface Decided extends Rebalancing {
  /** By app and process, where its instances are once all has moved. */
  readonly after: ReadonlyMap<string, ReadonlyMap<MachineId, number>>;
}

function rulesOf({ place }: App): PlacementRules {
  return { ...anywhere, ...place, only: null };
}

function asAppMove({ name, from, to, reason }: Move): AppMove {
  const [space, app, process] = name.split("/") as [SpaceName, AppName, ProcessName];
  return { space, app, process, from, to, reason };
}

function count(moves: number): string {
  return moves === 1 ? "1 instance" : `${moves} instances`;
}
