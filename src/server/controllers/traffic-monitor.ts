import { errorFields } from "#host/log.ts";
import type { App, Rollout } from "#model/app.ts";
import { type Clock, pause } from "#model/clock.ts";
import { latencyQuantile } from "#model/latency.ts";
import type { Log } from "#model/log.ts";
import { type AppId, appId, type MachineId } from "#model/names.ts";
import { latencyBoundsMs, type TargetTraffic } from "#model/routing-table.ts";
import type { StepTraffic } from "#plan/rollout/input.ts";
import type { EdgePeer } from "../fleet/peers.ts";

/** How often edges are asked for their counters while a canary is judged: well below any hold, and far too seldom to cost anything. */
const everyMs = 1_000;

interface Watched {
  readonly release: number;
  readonly step: number;
  /** Counters at the start of the step, by edge and route. */
  readonly baseline: Map<string, TargetTraffic>;
  readonly latest: Map<string, TargetTraffic>;
}

export interface TrafficMonitorOptions {
  readonly edges: () => readonly EdgePeer[];
  readonly clock: Clock;
  readonly log: Log;
  /** New figures of the app are there. */
  readonly onTraffic: (app: AppId) => void;
}

/** Figures of canaries that are to be aborted by errors or latency. Asks edges only while there is one. */
export class TrafficMonitor {
  readonly #options: TrafficMonitorOptions;
  readonly #signal: AbortSignal;
  readonly #watched = new Map<AppId, Watched>();
  #polling: Promise<void> = Promise.resolve();
  #isPolling = false;

  constructor(options: TrafficMonitorOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async stopped(): Promise<void> {
    await this.#polling;
  }

  /** The figures since this step of the app's canary began; asking for them is what keeps them coming. */
  trafficOf(app: App, rollout: Rollout): StepTraffic | null {
    const id = appId(app.space, app.name);
    if (app.deploy.strategy !== "canary" || app.deploy.abort === undefined || rollout.stepReadyAtMs === null) {
      this.#watched.delete(id);
      return null;
    }
    const watched = this.#watched.get(id);
    if (watched !== undefined && watched.release === rollout.release && watched.step === rollout.step) return sumUp(watched);
    this.#watched.set(id, { release: rollout.release, step: rollout.step, baseline: new Map(), latest: new Map() });
    if (!this.#isPolling) this.#polling = this.#poll();
    return null;
  }

  forget(app: AppId): void {
    this.#watched.delete(app);
  }

  async #poll(): Promise<void> {
    const { clock, edges } = this.#options;
    this.#isPolling = true;
    while (this.#watched.size > 0 && !this.#signal.aborted) {
      await Promise.all(edges().map((edge) => this.#ask(edge)));
      for (const id of this.#watched.keys()) this.#options.onTraffic(id);
      await pause(clock, everyMs, this.#signal);
    }
    this.#isPolling = false;
  }

  async #ask(edge: EdgePeer): Promise<void> {
    try {
      const targets = await edge.traffic(AbortSignal.any([this.#signal, edge.gone]));
      for (const [app, watched] of this.#watched) note(watched, app, edge.machine, targets);
    } catch (error) {
      if (!this.#signal.aborted && !edge.gone.aborted)
        this.#options.log.warn("edge did not tell its traffic", { machine: edge.machine, ...errorFields(error) });
    }
  }
}

function note(watched: Watched, app: AppId, machine: MachineId, targets: readonly TargetTraffic[]): void {
  for (const target of targets) {
    if (target.release !== watched.release || !target.route.startsWith(`${app}/`)) continue;
    const key = `${machine} ${target.route}`;
    const baseline = watched.baseline.get(key);
    // An edge that started anew counts from zero.
    if (baseline !== undefined && target.requests < baseline.requests) watched.baseline.delete(key);
    else if (baseline === undefined && !watched.latest.has(key)) watched.baseline.set(key, target);
    watched.latest.set(key, target);
  }
}

function sumUp({ baseline, latest }: Watched): StepTraffic {
  let requests = 0;
  let errors = 0;
  const latency = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  for (const [key, now] of latest) {
    const then = baseline.get(key);
    requests += now.requests - (then?.requests ?? 0);
    errors += now.errors - (then?.errors ?? 0);
    for (let i = 0; i < latency.length; i++) latency[i] = (latency[i] ?? 0) + (now.latency[i] ?? 0) - (then?.latency[i] ?? 0);
  }
  return { requests, errors, p99Ms: latencyQuantile(latency, 0.99) };
}
