import type { AppStatus, AppSummary, InstanceView, ProcessStatus } from "#model/api.ts";
import type { App, Release } from "#model/app.ts";
import type { Clock } from "#model/clock.ts";
import { type AppName, appId, type MachineId, type ProcessName, type SpaceName } from "#model/names.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import { publicListener, serviceRouteId } from "#plan/routes/plan-routes.ts";
import { shareOfTarget } from "#plan/routes/traffic-shares.ts";
import type { Core } from "../controllers/core.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { KnownWorkload } from "../fleet/known.ts";
import { objects, type Stored } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { RouteAddresses } from "./route-address.ts";
import { isStarting } from "./starting.ts";
import { explain } from "./why.ts";

export interface AppViewOptions {
  readonly store: Store;
  readonly core: Pick<Core, "fleet" | "apps" | "routes">;
  readonly clock: Pick<Clock, "nowMs">;
  readonly addresses: RouteAddresses;
}

/** What people see of an app, put together from the store and the fleet at the moment of asking: nothing of it is kept, so nothing is stale. */
export class AppView {
  readonly #options: AppViewOptions;

  constructor(options: AppViewOptions) {
    this.#options = options;
  }

  status(space: SpaceName, name: AppName): AppStatus | null {
    const stored = objects.app(this.#options.store, space, name);
    if (stored === null) return null;
    const { wanted: _, running: __, ready: ___, ...shared } = this.#summary(stored);
    return { ...shared, processes: [...this.#processes(stored.value)], instances: [...this.instances(space, name)] };
  }

  summary(space: SpaceName, name: AppName): AppSummary | null {
    const stored = objects.app(this.#options.store, space, name);
    return stored === null ? null : this.#summary(stored);
  }

  summaries(space?: SpaceName): readonly AppSummary[] {
    return objects.apps(this.#options.store, space).map((stored) => this.#summary(stored));
  }

  instances(space: SpaceName, name: AppName): readonly InstanceView[] {
    return instanceViews(this.#options.core.fleet.workloads(appId(space, name))).sort((a, b) =>
      a.process === b.process ? a.release - b.release || compare(a.id, b.id) : compare(a.process, b.process),
    );
  }

  #summary({ value: app, modRevision }: Stored<App>): AppSummary {
    const { store, core } = this.#options;
    const id = appId(app.space, app.name);
    const target = this.#release(app, app.target);
    const rollout = objects.rollout(store, app.space, app.name)?.value ?? null;
    const progress = core.apps.progress(id);
    const failed = this.#lastFailed(app);
    const processes = this.#processes(app);
    const workloads = core.fleet.workloads(id);
    const isUnderWay = rollout !== null && rollout.pausedAtMs === null && rollout.release === app.target && target?.state === "pending";
    return {
      name: app.name,
      space: app.space,
      health: this.#health(app, target, processes, workloads),
      target: app.target,
      active: app.active,
      stopped: app.stopped,
      urls: this.#urls(app),
      rollout: isUnderWay
        ? {
            release: rollout.release,
            startedAtMs: rollout.startedAtMs,
            weight: shareOfTarget({ app, rollout }),
            waitingFor: [...progress.waitingFor, ...progress.unplaced.map(({ words }) => words)],
          }
        : null,
      lastFailure: failed?.failure ? { release: failed.number, failure: { ...failed.failure, lines: [...failed.failure.lines] } } : null,
      reasons: [
        ...explain({
          app,
          target,
          failed,
          rollout,
          workloads,
          isLinked: core.fleet.agent !== null,
          progress,
          unreadyNeeds: target === null ? [] : core.apps.unreadyNeeds(target),
          lostRoutes: core.routes.lost(id),
        }),
      ],
      known: core.fleet.isKnown,
      createdAtMs: app.createdAtMs,
      revision: modRevision,
      ...totals(processes),
    };
  }

  /** What holds of the app, for its history; null while it is on its way from one to another, undefined if there is none. */
  condition(space: SpaceName, name: AppName): "well" | "degraded" | "failing" | "idle" | null | undefined {
    const app = objects.app(this.#options.store, space, name)?.value;
    if (app === undefined) return undefined;
    const workloads = this.#options.core.fleet.workloads(appId(space, name));
    const health = this.#health(app, this.#release(app, app.target), this.#processes(app), workloads);
    switch (health) {
      case "ready":
        return "well";
      case "degraded":
        return "degraded";
      case "down":
        // What never served does not fail: its release does.
        return app.active === null ? null : "failing";
      case "stopped":
      case "destroying":
        return "idle";
      case "deploying":
      case "starting":
        return null;
      default:
        return health satisfies never;
    }
  }

  #health(app: App, target: Release | null, processes: readonly ProcessStatus[], workloads: readonly KnownWorkload[]): AppStatus["health"] {
    return healthOf(app, processes, {
      isDeploying: target !== null && target.number !== app.active && target.state === "pending",
      isStarting: target !== null && target.state === "active" && isStarting(app, processes, workloads, this.#options.clock.nowMs()),
    });
  }

  #release(app: App, number: number | null): Release | null {
    return number === null ? null : (objects.release(this.#options.store, app.space, app.name, number)?.value ?? null);
  }

  /** The newest failed release, if it is newer than the active one: older failures are history. */
  #lastFailed(app: App): Release | null {
    // Releases that failed lie between the active one and the newest, so this looks at one or two.
    for (let number = app.lastRelease; number > (app.active ?? 0); number--) {
      const release = this.#release(app, number);
      if (release === null) return null;
      if (release.state === "failed") return release;
    }
    return null;
  }

  #processes(app: App): readonly ProcessStatus[] {
    const release = this.#release(app, app.target) ?? this.#release(app, app.active);
    if (release === null) return [];
    const counts = new Map<string, { running: number; ready: number }>();
    for (const workload of this.#options.core.fleet.workloads(appId(app.space, app.name))) {
      if (workload.kind !== "service") continue;
      const count = counts.get(workload.name.process) ?? { running: 0, ready: 0 };
      for (const instance of workload.instances.values()) {
        if (instance.state === "running") count.running++;
        if (isReady(instance)) count.ready++;
      }
      counts.set(workload.name.process, count);
    }
    return (Object.entries(release.spec.processes) as [ProcessName, Release["spec"]["processes"][ProcessName]][])
      .map(([name, spec]) => ({
        name,
        run: spec.run,
        wanted: app.stopped || app.destroying ? 0 : (app.instances[name] ?? 1),
        running: counts.get(name)?.running ?? 0,
        ready: counts.get(name)?.ready ?? 0,
        bounds: boundsOf(app, name),
        protocol: spec.protocol,
        servicePort: this.#openPort(app, name),
      }))
      .sort((a, b) => compare(a.name, b.name));
  }

  #openPort(app: App, process: ProcessName): number | null {
    const port = app.servicePorts[process];
    const id = port === undefined ? null : serviceRouteId(app, port);
    return port !== undefined && id !== null && this.#options.core.routes.routes.has(id) ? port : null;
  }

  #urls(app: App): string[] {
    return app.routes.flatMap((route) => this.#options.addresses.urlOf(publicListener(route), route.policy) ?? []);
  }
}

/** What runs on a machine, of all apps, by id. */
export function instancesOn(fleet: Fleet, machine: MachineId): readonly InstanceView[] {
  return instanceViews([...fleet.workloadsOn(machine)]).sort((a, b) => compare(a.id, b.id));
}

export function instanceViews(workloads: readonly KnownWorkload[]): InstanceView[] {
  return workloads.flatMap((workload) => [...workload.instances.values()].map((instance) => instanceView(workload, instance)));
}

function instanceView(workload: KnownWorkload, instance: ObservedInstance): InstanceView {
  const { space, app, process, release } = workload.name;
  return {
    id: instance.id,
    space,
    app,
    process,
    release,
    machine: instance.machine,
    state: instance.state,
    ready: isReady(instance),
    host: instance.host,
    port: instance.port,
    pid: instance.pid,
    restarts: instance.restarts,
    startedAtMs: instance.startedAtMs,
    sinceMs: instance.sinceMs,
    exit: instance.exit,
    reason: instance.reason,
  };
}

interface UnderWay {
  readonly isDeploying: boolean;
  readonly isStarting: boolean;
}

function healthOf(app: App, processes: readonly ProcessStatus[], { isDeploying, isStarting }: UnderWay): AppStatus["health"] {
  if (app.destroying) return "destroying";
  if (app.stopped) return "stopped";
  if (isDeploying) return "deploying";
  if (processes.length === 0) return "down";
  if (processes.every(({ ready, wanted }) => ready >= wanted)) return "ready";
  if (isStarting) return "starting";
  return processes.some(({ ready, wanted }) => ready === 0 && wanted > 0) ? "down" : "degraded";
}

function boundsOf({ scale = {} }: App, process: ProcessName): ProcessStatus["bounds"] {
  const rule = Object.hasOwn(scale, process) ? scale[process] : undefined;
  return rule === undefined ? null : { min: rule.min, max: rule.max };
}

function totals(processes: readonly ProcessStatus[]): Pick<AppSummary, "wanted" | "running" | "ready"> {
  const total = { wanted: 0, running: 0, ready: 0 };
  for (const { wanted, running, ready } of processes) {
    total.wanted += wanted;
    total.running += running;
    total.ready += ready;
  }
  return total;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
