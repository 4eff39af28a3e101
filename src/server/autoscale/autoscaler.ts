import { errorFields } from "#host/log.ts";
import { type App, isBeingDestroyed } from "#model/app.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type AppName, appId, type ProcessName, type SpaceName } from "#model/names.ts";
import type { ScaleMeasure, ScaleRule } from "#model/scale.ts";
import { planAutoscale, type ScaleDecision } from "#plan/autoscale/plan-autoscale.ts";
import { lookEveryMs } from "#plan/autoscale/simulate-autoscale.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { Core } from "../controllers/core.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { Measure } from "../figures/measure.ts";
import { objects } from "../objects/objects.ts";
import { scaleByRule } from "../operations/app-operations.ts";
import type { OperationContext } from "../operations/context.ts";
import { loadBetween, type Sample, type Shared, takeSample } from "./sample.ts";

export interface AutoscalerOptions {
  readonly context: OperationContext;
  readonly core: Pick<Core, "fleet" | "routes" | "reviews">;
  readonly shared: Shared;
  /** A figure over the last time; null while it is not known. */
  readonly measure: Measure;
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
  #running: Promise<void> | null = null;

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

  /** Null while it was not looked at. */
  scalingOf(space: SpaceName, app: AppName, process: ProcessName): Scaling | null {
    return this.#scalings.get(keyOf(appId(space, app), process)) ?? null;
  }

  async stopped(): Promise<void> {
    await this.#following;
    await this.#running;
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
    const decision = planAutoscale({
      rule,
      wanted,
      load: before === null ? null : loadBetween(before, now, { space, app: name, process }, ready, wanted, this.#metricOf(space, rule)),
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

  /** The figure that the rule names. */
  #metricOf(space: SpaceName, { metric }: ScaleRule): ScaleMeasure {
    if (metric === undefined) return { amount: 0, missing: null };
    const amount = this.#options.measure(metric, ({ labels }) => labels["space"] === space);
    return amount === null ? { amount: 0, missing: `what ${metric.metric} is` } : { amount, missing: null };
  }
}

const keyOf = (app: AppId, process: ProcessName) => `${app}/${process}`;
