import { errorFields } from "#host/log.ts";
import { type App, asleep, isBeingDestroyed } from "#model/app.ts";
import { type Clock, pause } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type AppName, appId, type MachineId, type ProcessName, type RouteId, type SpaceName } from "#model/names.ts";
import type { ScaleActivity, ScaleMeasure, ScaleRule } from "#model/scale.ts";
import { planAutoscale, type ScaleDecision } from "#plan/autoscale/plan-autoscale.ts";
import { lookEveryMs, wokenBecause } from "#plan/autoscale/simulate-autoscale.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { Core } from "../controllers/core.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { Measure } from "../figures/measure.ts";
import type { EdgePeer } from "../fleet/peers.ts";
import { objects } from "../objects/objects.ts";
import { scaleByRule } from "../operations/app-operations.ts";
import type { OperationContext } from "../operations/context.ts";
import { targetSpec } from "../operations/releases.ts";
import type { SecretMask } from "../view/mask-secrets.ts";
import { activityBetween, loadBetween, type Sample, type Shared, takeSample } from "./sample.ts";
import type { ScaleCommands } from "./scale-commands.ts";

/** Before an edge that is linked is asked again. */
const hearAgainMs = 1_000;

export interface AutoscalerOptions {
  readonly context: OperationContext;
  readonly core: Pick<Core, "fleet" | "routes" | "reviews">;
  readonly shared: Shared;
  /** A figure over the last time; null while it is not known. */
  readonly measure: Measure;
  readonly mask: Pick<SecretMask, "text">;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was decided about a process at the last look. */
export interface Scaling {
  readonly decision: ScaleDecision;
  /** Epoch milliseconds. */
  readonly lookedAtMs: number;
}

/**
 * Has processes with a rule follow their load. Looks every few seconds while there is such a process; what it saw before is in memory alone, so after a
 * restart of the server nothing goes before it was looked at for long enough again.
 */
export class Autoscaler {
  readonly #options: AutoscalerOptions;
  readonly #signal: AbortSignal;
  readonly #apps = new Set<AppId>();
  readonly #scalings = new Map<string, Scaling>();
  readonly #following: Promise<void>;
  /** Machines whose edges hold requests and say so. */
  readonly #holders = new Map<MachineId, object>();
  readonly #hearing = new Set<Promise<void>>();
  #running: Promise<void> | null = null;
  #commands: ScaleCommands | null = null;

  constructor(options: AutoscalerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { context, clock, log } = options;
    const all = () => {
      this.#apps.clear();
      for (const { value } of objects.apps(context.store)) this.#note(value);
    };
    const note = (key: string) => {
      const [, , space, name] = key.split("/");
      const id = appId(space as SpaceName, name as AppName);
      this.#apps.delete(id);
      const stored = objects.app(context.store, space as SpaceName, name as AppName);
      if (stored !== null) this.#note(stored.value);
    };
    this.#following = followStore("/apps/", note, all, { store: context.store, clock, log }, signal);
    all();
  }

  /** Hears of the edge's requests that wait for an instance, until it is gone. */
  follow(peer: Pick<EdgePeer, "machine" | "isLeaving" | "wanted" | "gone">, parent: AbortSignal): void {
    if (peer.isLeaving) return;
    const following = this.#hear(peer, AbortSignal.any([parent, peer.gone]));
    this.#hearing.add(following);
    void following.finally(() => this.#hearing.delete(following));
  }

  async #hear(peer: Pick<EdgePeer, "machine" | "wanted">, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        for await (const route of peer.wanted(signal)) {
          this.#holders.set(peer.machine, peer);
          if (route !== null) await this.#wake(route);
        }
      } catch (error) {
        if (signal.aborted) break;
        // A router that holds nothing: apps whose requests it gets keep an instance, and say why.
        if (hasCode(error, "NOT_YET_SUPPORTED") || hasCode(error, "ROUTE_UNKNOWN")) break;
        log.warn("edge did not say what is wanted", { machine: peer.machine, ...errorFields(error) });
      }
      this.#deaf(peer);
      await pause(clock, hearAgainMs, signal);
    }
    this.#deaf(peer);
  }

  /** Another edge of the machine may have taken its place. */
  #deaf(peer: Pick<EdgePeer, "machine">): void {
    if (this.#holders.get(peer.machine) === peer) this.#holders.delete(peer.machine);
  }

  async #wake(route: RouteId): Promise<void> {
    const { context, core, log } = this.#options;
    const found = core.routes.routes.get(route);
    const app = found === undefined ? undefined : objects.app(context.store, found.space as SpaceName, found.app as AppName)?.value;
    if (found === undefined || app === undefined || isBeingDestroyed(app)) return;
    const process = found.process as ProcessName;
    if (!asleep(app).includes(process)) return;
    try {
      await scaleByRule(context, { space: app.space, app: app.name }, process, { from: 0, to: 1, because: wokenBecause });
    } catch (error) {
      // The edge says it again within a second.
      log.warn("app not woken", { app: appId(app.space, app.name), process, ...errorFields(error) });
    }
  }

  /** Null while it was not looked at. */
  scalingOf(space: SpaceName, app: AppName, process: ProcessName): Scaling | null {
    return this.#scalings.get(keyOf(appId(space, app), process)) ?? null;
  }

  async stopped(): Promise<void> {
    await this.#following;
    await this.#running;
    await this.#commands?.stopped();
    await Promise.all(this.#hearing);
  }

  #note(app: App): void {
    if (isBeingDestroyed(app) || Object.keys(app.scale ?? {}).length === 0) return;
    this.#apps.add(appId(app.space, app.name));
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { clock, core, shared, log } = this.#options;
    let before: Sample | null = null;
    while (!this.#signal.aborted && this.#apps.size > 0) {
      try {
        const now: Sample = await takeSample(shared, core, clock, this.#signal);
        await this.#lookAtAll(before, now);
        before = now;
      } catch (error) {
        if (!this.#signal.aborted) log.warn("load of apps not looked at", errorFields(error));
      }
      // At whole steps of the wall clock, when figures are followed too: one answer of the machines serves both.
      await pause(clock, lookEveryMs - (clock.nowMs() % lookEveryMs), this.#signal);
    }
    this.#commands?.forgetOthers(new Set());
    this.#running = null;
  }

  async #lookAtAll(before: Sample | null, now: Sample): Promise<void> {
    const { context, core } = this.#options;
    const known = new Set<string>();
    for (const id of this.#apps) {
      const [space, name] = id.split("/") as [SpaceName, AppName];
      const app = objects.app(context.store, space, name)?.value;
      // What is stopped bears no load, and begins anew with the next start.
      if (app === undefined || app.stopped || core.reviews.of(id) !== null) continue;
      for (const [process, rule] of Object.entries(app.scale ?? {}) as [ProcessName, ScaleRule][]) {
        known.add(keyOf(id, process));
        await this.#look(app, process, rule, before, now);
      }
    }
    for (const key of this.#scalings.keys()) if (!known.has(key)) this.#scalings.delete(key);
    this.#commands?.forgetOthers(known);
  }

  async #look(app: App, process: ProcessName, rule: ScaleRule, before: Sample | null, now: Sample): Promise<void> {
    const { context, core, clock, log } = this.#options;
    const { space, name } = app;
    const id = appId(space, name);
    const ready = core.fleet
      .workloads(id)
      .filter((workload) => workload.kind === "service" && workload.name.process === process)
      .flatMap(({ instances }) => [...instances.values()].filter(isReady));
    const wanted = app.instances[process] ?? 1;
    const told = { metric: this.#metricOf(space, rule), command: await this.#commandOf(app, process, rule, wanted) };
    const decision = planAutoscale({
      rule,
      wanted,
      load: before === null ? null : loadBetween(before, now, { space, app: name, process }, ready, wanted, told),
      activity: before === null ? null : this.#activityOf(app, process, before, now),
      isRollingOut: app.target !== null && objects.release(context.store, space, name, app.target)?.value.state === "pending",
      history: this.#scalings.get(keyOf(id, process))?.decision.history ?? null,
      atMs: now.atMs,
      nowMs: clock.nowMs(),
    });
    this.#scalings.set(keyOf(id, process), { decision, lookedAtMs: clock.nowMs() });
    if (decision.count === wanted) return;
    try {
      await scaleByRule(context, { space, app: name }, process, { from: wanted, to: decision.count, because: decision.because });
    } catch (error) {
      // The next look decides again.
      if (!this.#signal.aborted) log.warn("app not scaled", { app: id, process, ...errorFields(error) });
    }
  }

  /** Whether anybody asks for it. No edge has requests for what has no port, whether it answers or not. */
  #activityOf(app: App, process: ProcessName, before: Sample, now: Sample): ScaleActivity {
    const { space, name } = app;
    if (targetSpec(this.#options.context.store, app)?.processes[process]?.port === "none") return { isBusy: false, missing: null };
    return activityBetween(before, now, { space, app: name, process }, this.#holders);
  }

  /** The figure that the rule names. */
  #metricOf(space: SpaceName, { metric }: ScaleRule): ScaleMeasure {
    if (metric === undefined) return { amount: 0, missing: null };
    const amount = this.#options.measure(metric, ({ labels }) => labels["space"] === space);
    return amount === null ? { amount: 0, missing: `what ${metric.metric} is` } : { amount, missing: null };
  }

  /** What the rule's command said last. */
  async #commandOf({ space, name }: App, process: ProcessName, { command }: ScaleRule, wanted: number): Promise<ScaleMeasure> {
    if (command === undefined) return { amount: 0, missing: null };
    if (this.#commands === null) {
      // Loaded by the first rule that has one.
      const { ScaleCommands } = await import("./scale-commands.ts");
      const { context, core, mask, clock, log } = this.#options;
      this.#commands = new ScaleCommands({ fleet: core.fleet, events: context.events, mask, clock, log }, this.#signal);
    }
    return this.#commands.ask(keyOf(appId(space, name), process), { space, app: name, process }, command, wanted);
  }
}

const keyOf = (app: AppId, process: ProcessName) => `${app}/${process}`;
