import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import { type App, asleep, type ProcessSpec, type Release, type Rollout, type Space } from "#model/app.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import {
  type AppId,
  type AppName,
  appId,
  type InstanceId,
  type MachineId,
  type ProcessName,
  type SpaceName,
  workloadId,
} from "#model/names.ts";
import type { LogLine, Reason } from "#model/workload.ts";
import { anywhere, type Unplaced } from "#plan/placement/plan-placement.ts";
import { type Ahead, describeAhead } from "#plan/rollout/ahead.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { ObservedWorkload, Order, RolloutInput, RolloutPlan, Step, StepTraffic } from "#plan/rollout/input.ts";
import type { Held } from "#plan/rollout/only-one.ts";
import { planRollout } from "#plan/rollout/plan-rollout.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { KnownWorkload } from "../fleet/known.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { standingOf } from "../members/standings.ts";
import { objects } from "../objects/objects.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Store } from "../store/store.ts";
import type { AppHomes } from "./app-homes.ts";
import type { ArtifactCopies } from "./artifact-copies.ts";
import { Backoff } from "./backoff.ts";
import type { Leases } from "./leases.ts";
import type { Narrator } from "./narrator.ts";
import { observe } from "./observe.ts";
import type { Reviews } from "./reviews.ts";
import { type AppObjects, transactionFor } from "./steps.ts";
import { digestOf, type WorkloadBody, workloadBody } from "./workloads.ts";

/** Steps that one pass takes before others get their turn: a whole rollout of an app without instances takes four. */
const stepsInOnePass = 8;
/** Lines of a failing instance that a failed release keeps: an error with its stack, from the latest run alone. */
const linesKept = 20;
/** How long fetching them may take: the failure itself must not wait for words about it. */
const linesTimeoutMs = 2_000;

export interface AppControllerOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly secrets: Secrets;
  /** The most instances of its processes that each machine is to keep; undefined: any number. */
  readonly mostOf: (app: AppId) => RolloutInput["most"];
  readonly reviews: Pick<Reviews, "of" | "note">;
  /** Nobody but their own machines may reach instances, because traffic between machines is encrypted. */
  readonly isPrivate: boolean;
  readonly narrator: Narrator;
  readonly clock: Clock;
  /** Epoch milliseconds that do not jump while the server runs: deadlines must not pass because a clock was set. */
  readonly steadyNowMs: () => number;
  /** Since when, by `steadyNowMs`, an agent can be asked. */
  readonly agentSinceMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly copies: ArtifactCopies;
  readonly homes: AppHomes;
  readonly leases: Leases;
  readonly trafficOf: (app: App, rollout: Rollout) => StepTraffic | null;
  /** Waits until the addresses that a release needs are open, within a bound; null if they are. */
  readonly addressesOpened: (release: Release, signal: AbortSignal) => Promise<void> | null;
  /** The plan or the trouble of an app changed. */
  readonly onStatus: (app: AppId) => void;
}

/** What the last pass over an app found, for those who ask why. */
export interface AppProgress {
  readonly waitingFor: readonly string[];
  readonly unplaced: readonly Unplaced[];
  /** Why the last pass failed; null if it did not. */
  readonly trouble: Reason | null;
}

const noProgress: AppProgress = { waitingFor: [], unplaced: [], trouble: null };

/** Makes one app true at a time: reads everything, asks the planner, takes its step or gives its orders, each once a pass. */
export class AppController {
  readonly #options: AppControllerOptions;
  readonly #backoff: Backoff<AppId>;
  readonly #progress = new Map<AppId, AppProgress>();
  /** Digests of orders by app object: an app that is written anew is a new object, and its old entry goes with the old one. */
  readonly #digests = new WeakMap<App, Map<string, { readonly space: Space | null; readonly digest: string }>>();

  constructor(options: AppControllerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  progress(app: AppId): AppProgress {
    return this.#progress.get(app) ?? noProgress;
  }

  /** One pass. Resolves with the monotonic time of the next one, if nothing happens before; never rejects. */
  async pass(id: AppId, signal: AbortSignal): Promise<number | null> {
    const { clock, log, steadyNowMs } = this.#options;
    try {
      const plan = await this.#pass(id, signal);
      this.#backoff.succeeded(id);
      this.#setProgress(id, plan === null ? null : { waitingFor: plan.waitingFor, unplaced: plan.unplaced, trouble: null });
      if (plan === null || plan.replanAtMs === null) return null;
      return clock.monotonicMs() + Math.max(0, plan.replanAtMs - steadyNowMs());
    } catch (error) {
      if (signal.aborted) return null;
      const { code, message }: Reason = error instanceof DroverError ? error : { code: "INTERNAL", message: "an internal error occurred" };
      log[error instanceof DroverError ? "warn" : "error"]("pass over app failed", { app: id, ...errorFields(error) });
      this.#setProgress(id, { ...this.progress(id), trouble: { code, message } });
      return clock.monotonicMs() + this.#backoff.failed(id);
    }
  }

  /** Steps until there is none, then orders. Null when the app does not exist. */
  async #pass(id: AppId, signal: AbortSignal): Promise<RolloutPlan | null> {
    const [space, name] = id.split("/") as [SpaceName, AppName];
    for (let taken = 0; ; taken++) {
      const found = this.#read(space, name);
      const { fleet, leases, reviews } = this.#options;
      const ahead = reviews.of(id);
      if (ahead !== null) return this.#holdBack(id, ahead);
      if (found === null) {
        leases.assign(id, null);
        await this.#removeStrays(id, signal);
        return null;
      }
      const plan = this.#plan(found, fleet.isKnown, await this.#options.homes.of(found, signal));
      if (plan.step === null) {
        // Before anything of it is ordered: who had the word loses it first.
        if (plan.holders !== undefined) leases.assign(id, plan.holders);
        await this.#carryOut(plan.orders, found, signal);
        return plan;
      }
      // Taken again at once: the store's watch wakes the app anyway, and fairness to others is all that this gives up.
      if (taken === stepsInOnePass) return { ...plan, replanAtMs: this.#options.steadyNowMs() };
      await this.#take(plan.step, found, signal);
    }
  }

  /** A restored store knows less than what runs: nothing is ordered until people have said what is right. */
  async #holdBack(id: AppId, ahead: Ahead): Promise<RolloutPlan> {
    const words = describeAhead(ahead);
    if (await this.#options.reviews.note(id, ahead)) this.#options.narrator.heldBack(id, words);
    const waitingFor = [`a decision, because it ${words}: deploy it again, or see "drover restore ls"`];
    return { step: null, orders: [], replanAtMs: null, waitingFor, unplaced: [] };
  }

  #read(space: SpaceName, name: AppName): AppObjects | null {
    const { store } = this.#options;
    const app = objects.app(store, space, name);
    if (app === null) return null;
    const releases = new Map(objects.releases(store, space, name).map((release) => [release.value.number, release]));
    return { app, releases, rollout: objects.rollout(store, space, name) };
  }

  #plan(found: AppObjects, isKnown: boolean, home: MachineId | null): RolloutPlan {
    const { fleet, steadyNowMs, trafficOf, mostOf } = this.#options;
    const app = found.app.value;
    const most = mostOf(appId(app.space, app.name));
    const emptied = home !== null && standingOf(this.#options.store, home).forced ? { emptied: home } : {};
    const rollout = found.rollout?.value ?? null;
    const releases = new Map([...found.releases].map(([number, release]) => [number, release.value]));
    const target = app.target === null ? undefined : releases.get(app.target);
    return planRollout({
      app,
      releases,
      rollout,
      observed: isKnown ? this.observed(found) : null,
      observedSinceMs: this.#options.agentSinceMs(),
      machines: fleet.rooms(),
      placement: { ...anywhere, ...app.place, only: home },
      ...emptied,
      ...(most === undefined ? {} : { most }),
      held: this.#held(found),
      unreadyNeeds: target === undefined || target.number === app.active ? [] : this.unreadyNeeds(target),
      traffic: rollout === null ? null : trafficOf(app, rollout),
      nowMs: steadyNowMs(),
    });
  }

  #held({ app: { value: app }, releases }: AppObjects): ReadonlyMap<ProcessName, Held> {
    const held = new Map<ProcessName, Held>();
    for (const { value: release } of releases.values()) {
      for (const [process, { onlyOne }] of Object.entries(release.spec.processes) as [ProcessName, ProcessSpec][]) {
        const found = onlyOne === true ? this.#options.leases.held(appId(app.space, app.name), process) : null;
        if (found !== null) held.set(process, found);
      }
    }
    return held;
  }

  /** Needed apps without a ready instance, but for those that the first request starts. */
  unreadyNeeds(release: Release): readonly AppName[] {
    const { fleet, store } = this.#options;
    const sleeps = (name: AppName) => {
      const app = objects.app(store, release.space, name)?.value;
      return app !== undefined && asleep(app).length > 0;
    };
    const isUp = (app: AppName) =>
      sleeps(app) ||
      fleet
        .workloads(appId(release.space, app))
        .some((workload) => workload.kind === "service" && [...workload.instances.values()].some(isReady));
    return (Object.keys(release.spec.needs) as AppName[]).filter((need) => !isUp(need)).sort();
  }

  observed(found: AppObjects): readonly ObservedWorkload[] {
    const id = appId(found.app.value.space, found.app.value.name);
    return observe(this.#options.fleet, id, (workload) => this.#isCurrent(found, workload));
  }

  #isCurrent({ app, releases }: AppObjects, workload: KnownWorkload): boolean {
    // Orders of an earlier server or link: as new as the app is new enough, because all that an order takes from elsewhere never changes.
    if (workload.order === null) return workload.revision >= app.modRevision;
    const release = releases.get(workload.name.release);
    return release === undefined || workload.order === this.#digest(app.value, release.value, workload.name.process);
  }

  #digest(app: App, release: Release, process: ProcessName): string {
    let digests = this.#digests.get(app);
    if (digests === undefined) this.#digests.set(app, (digests = new Map()));
    const key = `${process} ${release.number}`;
    const space = this.#space(app);
    const known = digests.get(key);
    if (known !== undefined && known.space === space) return known.digest;
    const body = this.#body(app, release, process);
    const digest = body === null ? "" : digestOf(body);
    digests.set(key, { space, digest });
    return digest;
  }

  #space(app: App): Space | null {
    return objects.space(this.#options.store, app.space)?.value ?? null;
  }

  #body(app: App, release: Release, process: ProcessName): WorkloadBody | null {
    const { secrets, isPrivate } = this.#options;
    return workloadBody({ app, space: this.#space(app), release, process, isPrivate }, secrets);
  }

  async #take(step: Step, found: AppObjects, signal: AbortSignal): Promise<void> {
    const { store, narrator, steadyNowMs } = this.#options;
    // Before its keys go: as long as they are there, a failure or a crash in between makes the next pass try again.
    if (step.kind === "forget") await this.#options.homes.forget(found.app.value, signal);
    const lines = step.kind === "fail" && step.linesOf !== null ? await this.#lastLines(step.linesOf, signal) : [];
    const failure = step.kind === "fail" ? { code: step.code, reason: step.reason, lines, atMs: steadyNowMs() } : null;
    try {
      failpoint("app.step.before");
      await store.commit(transactionFor(step, found, failure));
      failpoint("app.step.after");
    } catch (error) {
      // Somebody wrote first, so the plan is out of date: the loop reads and plans anew.
      if (error instanceof DroverError && error.code === "CONFLICT") return;
      throw error;
    }
    narrator.stepTaken(found, step, failure);
  }

  async #lastLines(instance: InstanceId, parent: AbortSignal): Promise<readonly string[]> {
    const agent = this.#options.fleet.agentOf(instance);
    if (agent === null) return [];
    const { clock, log } = this.#options;
    const ended = new AbortController();
    const signal = AbortSignal.any([parent, ended.signal]);
    clock.sleep(linesTimeoutMs, signal).then(
      () => ended.abort(new Error(`the lines did not come within ${linesTimeoutMs} ms`)),
      () => {}, // Aborted because the lines came.
    );
    const lines: LogLine[] = [];
    try {
      const query = { prefix: instance, instance, tail: linesKept, sinceMs: null, follow: false, contains: null };
      for await (const line of agent.logs(query, signal)) lines.push(line);
    } catch (error) {
      parent.throwIfAborted();
      log.warn("last lines not fetched", { instance, ...errorFields(error) });
    } finally {
      ended.abort();
    }
    return latestRun(lines.slice(-linesKept)).map(({ text }) => text);
  }

  async #carryOut(orders: readonly Order[], found: AppObjects, signal: AbortSignal): Promise<void> {
    const { fleet, narrator, copies, addressesOpened } = this.#options;
    for (const order of orders) {
      // One that was lost in between: its end wakes the app again.
      const agent = fleet.agentOn(order.machine);
      if (agent === null) continue;
      if (order.kind === "remove") {
        await this.#remove(order.id, agent, signal);
        narrator.ordered(found, order, 0);
        continue;
      }
      const release = found.releases.get(order.release);
      const body = release === undefined ? null : this.#body(found.app.value, release.value, order.process);
      if (release === undefined || body === null) {
        await this.#recount(order, found, agent, signal);
        continue;
      }
      const opening = order.count > 0 ? addressesOpened(release.value, signal) : null;
      if (opening !== null) await opening;
      if (body.artifact !== null) await copies.bring(body.artifact, agent, signal);
      await this.#apply(body, order.count, agent, signal);
      narrator.ordered(found, order, order.count);
    }
  }

  /** Of a release that is not kept, or not known to a restored store, the agent alone knows what it is: it can be scaled down all the same. */
  async #recount(order: Extract<Order, { kind: "apply" }>, found: AppObjects, agent: AgentPeer, signal: AbortSignal): Promise<void> {
    const { space, name: app } = found.app.value;
    const known = await agent.order(workloadId({ space, app, process: order.process, release: order.release }), signal);
    if (known === null || known.count <= order.count) return;
    const { count: _, revision: __, ...body } = known;
    await this.#apply(body, order.count, agent, signal);
    this.#options.narrator.ordered(found, order, order.count);
  }

  async #apply(body: WorkloadBody, count: number, agent: AgentPeer, signal: AbortSignal): Promise<void> {
    const { store, fleet } = this.#options;
    const workload = { ...body, count, revision: store.revision };
    failpoint("app.order.before");
    await agent.apply(workload, signal);
    failpoint("app.order.after");
    fleet.ordered(agent, workload, digestOf(body));
  }

  async #remove(id: KnownWorkload["id"], agent: AgentPeer, signal: AbortSignal): Promise<void> {
    const { store, fleet } = this.#options;
    const { revision } = store;
    failpoint("app.removal.before");
    await agent.remove(id, revision, signal);
    failpoint("app.removal.after");
    fleet.removed(agent, id, revision);
  }

  /** Workloads of an app that does not exist: left over from a destroyed one whose server died in between, or whose machine was away. */
  async #removeStrays(id: AppId, signal: AbortSignal): Promise<void> {
    const { fleet, narrator } = this.#options;
    for (const workload of fleet.workloads(id)) {
      const agent = fleet.agentOn(workload.machine);
      if (workload.isRemoving || agent === null) continue;
      await this.#remove(workload.id, agent, signal);
      narrator.strayRemoved(workload);
    }
  }

  #setProgress(id: AppId, next: AppProgress | null): void {
    const before = JSON.stringify(this.#progress.get(id) ?? noProgress);
    if (next === null) this.#progress.delete(id);
    else this.#progress.set(id, next);
    if (before !== JSON.stringify(next ?? noProgress)) this.#options.onStatus(id);
  }
}

/** What follows the notice that ended the run before; earlier runs say the same again. */
function latestRun(lines: readonly LogLine[]): readonly LogLine[] {
  const before = lines.slice(0, -1).findLastIndex(({ source, text }) => source === "drover" && endsRun.test(text));
  return lines.slice(before + 1);
}

/** The agent's notice that a run ended. */
const endsRun = /^(exited with code|ended by|ended while|ran out of memory)/;
