import { EventEmitter, on } from "node:events";
import type { AppStatus, AppSummary } from "#model/api.ts";
import type { App } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import type { ControlPlane } from "../../control-plane.ts";
import { objects, type Stored } from "../../objects/objects.ts";
import type { Store } from "../../store/store.ts";

/** A control plane without any agent: what a server is in its first moments. Shows what the store wants, and that nothing runs. */
export function createIdleControlPlane(store: Store): ControlPlane {
  const unreachable = () => new DroverError("CLUSTER_UNREACHABLE", "no agent is linked", { hint: "Start one with `drover up`." });
  const statusOf = (space: SpaceName, app: AppName) => {
    const stored = objects.app(store, space, app);
    return stored === null ? null : viewApp(stored);
  };
  return {
    escalator: () => Promise.reject(new DroverError("NOT_YET_SUPPORTED", "this server runs no escalations")),
    runningEscalator: async () => null,
    unmended: async () => [],
    appStatus: statusOf,
    summary: (space, app) => {
      const view = statusOf(space, app);
      return view === null ? null : summarize(view);
    },
    summaries: (space) => objects.apps(store, space).map((stored) => summarize(viewApp(stored))),
    why: (space, app) => {
      const view = statusOf(space, app);
      if (view === null) throw new DroverError("APP_NOT_FOUND", `there is no app "${app}"`);
      return view.reasons;
    },
    instances: () => [],
    instancesOn: () => [],
    machines: () => [],
    rebalancer: {
      plan: () => ({ moves: [], left: [] }),
      start: async () => ({ moves: [], left: [] }),
      stop: async () => {},
      progress: null,
    },
    reviews: () => [],
    discardReviews: async () => {},
    newestRelease: () => 0,
    agentOn: () => {
      throw unreachable();
    },
    forgetMachine: () => {},
    edges: () => [],
    routes: async () => [],
    traffic: async () => ({ counted: [], left: [], answered: new Set() }),
    versions: async () => ({ apps: [], programs: [], silent: [] }),
    scaling: () => null,
    appMetrics: async () => [],
    usage: async () => ({ machines: [], instances: [], silent: [] }),
    problems: async () => [{ code: "CLUSTER_UNREACHABLE", message: "no agent is linked" }],
    watchApp: async function* (space, app, signal) {
      yield statusOf(space, app);
      for await (const _ of store.watch(`/apps/${space}/${app}`, store.revision, signal)) yield statusOf(space, app);
    },
    changes: async function* (signal) {
      // Nothing is ever observed: waits for the end.
      for await (const _ of on(new EventEmitter(), "change", { signal })) yield new Set();
    },
    // biome-ignore lint/correctness/useYield: it fails before it has anything to say
    logs: async function* () {
      throw unreachable();
    },
    shipping: async () => [],
    logSearch: {
      search: async () => ({ events: [], next: null, searchedToMs: null, silent: [], damaged: [] }),
      count: async ({ sinceMs, bucketMs }) => ({ sinceMs, bucketMs, levels: [], buckets: [], searchedToMs: null, silent: [], damaged: [] }),
      context: async () => ({ events: [], silent: [], damaged: [] }),
      kept: async () => ({ spaces: [], machines: [], silent: [] }),
      tail: async function* () {},
    },
    execPlace: (space, app) => ({
      where: { kind: "instance", instance: `${space}/${app}/web.1.aaaaa` as never },
      instance: `${space}/${app}/web.1.aaaaa` as never,
    }),
    exec: async () => {
      throw unreachable();
    },
    // biome-ignore lint/correctness/useYield: it fails before it has anything to say
    build: async function* () {
      throw unreachable();
    },
    knownBuild: async () => {
      throw unreachable();
    },
    hasArtifact: async () => {
      throw unreachable();
    },
    readArtifact: async () => {
      throw unreachable();
    },
    restartInstance: async () => {
      throw unreachable();
    },
    restartEdge: async () => {
      throw unreachable();
    },
    stopped: Promise.resolve(),
  };
}

function viewApp({ value, modRevision }: Stored<App>): AppStatus {
  const { name, space, target, active, stopped, instances, createdAtMs } = value;
  return {
    name,
    space,
    health: stopped ? "stopped" : "down",
    target,
    active,
    stopped,
    urls: value.routes.flatMap((route) => ("host" in route ? [`http://${route.host}${route.path}`] : [])),
    processes: Object.entries(instances).map(([process, wanted]) => ({
      name: process,
      run: "",
      wanted,
      running: 0,
      ready: 0,
      protocol: "http",
      bounds: null,
      servicePort: value.servicePorts[process as never] ?? null,
    })),
    instances: [],
    rollout: null,
    lastFailure: null,
    reasons: [{ code: "CLUSTER_UNREACHABLE", message: "no agent is linked" }],
    known: false,
    createdAtMs,
    revision: modRevision,
  };
}

function summarize({ instances: _instances, processes, ...view }: AppStatus): AppSummary {
  return { ...view, wanted: processes.reduce((sum, { wanted }) => sum + wanted, 0), running: 0, ready: 0 };
}
