import type { Server } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { acceptLinks } from "#link/accept.ts";
import type { Link } from "#link/caller.ts";
import type { AppStatus, AppSummary, InstanceView, MachineView } from "#model/api.ts";
import type { BuildOptions, BuildProgress } from "#model/build.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { ExecRequest } from "#model/exec.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type AppName, appId, type Digest, type InstanceId, type ProcessName, type SpaceName } from "#model/names.ts";
import type { LogLine, LogQuery, Reason } from "#model/workload.ts";
import { collectArtifacts } from "./controllers/artifact-collector.ts";
import { type Core, startCore } from "./controllers/core.ts";
import type { EventLog } from "./events/event-log.ts";
import { agentOverLink, edgeOverLink } from "./fleet/peers.ts";
import type { Secrets } from "./secrets/secrets.ts";
import type { Store } from "./store/store.ts";
import { AppView } from "./view/app-view.ts";
import { chooseExecPlace } from "./view/exec-place.ts";

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly events: EventLog;
  readonly secrets: Secrets;
  /** Where agents and edges dial: listening already, or about to. */
  readonly listener: Server;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** The edge's public address, such as `http://127.0.0.1:8080`: gives scheme and port of the apps' URLs. */
  readonly edgeUrl: string;
  /** Deletes uploaded sources that nobody asked for since `beforeMs`; how many went. Left out: there are none. */
  readonly collectSources?: (beforeMs: number, signal: AbortSignal) => Promise<number>;
}

/** One edge, as far as the server knows it. */
export interface EdgeView {
  readonly machine: string;
  readonly linked: boolean;
  /** Revision of the table that it confirmed last; null before the first. */
  readonly revision: number | null;
}

/** Where a command is to run, chosen from what the caller asked for. */
export interface ExecPlace {
  readonly where: ExecRequest["where"];
  /** Null for fresh surroundings. */
  readonly instance: InstanceId | null;
}

/**
 * Everything between the store and the links: keeps what agents report, runs the controllers, and answers questions about both.
 * Reads are synchronous and come from memory. Calls that need an agent throw CLUSTER_UNREACHABLE while none is linked.
 */
export interface ControlPlane {
  /** Everything about one app now; null if the app does not exist. */
  appStatus(space: SpaceName, app: AppName): AppStatus | null;
  /** All apps of a space, or of all spaces, by space and name. */
  summaries(space?: SpaceName): readonly AppSummary[];
  /** Why the app is not running or not ready, in words; empty when it is. @throws {DroverError} APP_NOT_FOUND */
  why(space: SpaceName, app: AppName): readonly Reason[];
  instances(space: SpaceName, app: AppName): readonly InstanceView[];
  machines(): readonly MachineView[];
  edges(): readonly EdgeView[];
  /** What is wrong with the installation as a whole, such as no linked agent. */
  problems(): readonly Reason[];
  /**
   * The app's status now and after each change, changes close together as one; null when the app does not exist (any more).
   * Ends when the signal aborts.
   */
  watchApp(space: SpaceName, app: AppName, signal: AbortSignal): AsyncIterable<AppStatus | null>;
  /** Ids of apps whose status may have changed since the last batch, changes close together as one batch. Ends when the signal aborts. */
  changes(signal: AbortSignal): AsyncIterable<ReadonlySet<AppId>>;

  /** @throws {DroverError} CLUSTER_UNREACHABLE */
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /**
   * Chooses where a command runs: the instance that was named, else the first ready one of `process` (default `web`, else the first process),
   * else, for `fresh`, surroundings like those of the active release.
   * @throws {DroverError} APP_NOT_FOUND, PROCESS_NOT_FOUND, RELEASE_NOT_FOUND, INSTANCE_NOT_FOUND
   */
  execPlace(
    space: SpaceName,
    app: AppName,
    wanted: { readonly instance?: string | undefined; readonly process?: ProcessName | undefined; readonly fresh: boolean },
  ): ExecPlace;
  /** The two-way stream of an exec at the agent: lines of ExecInput in (the first is `start`), lines of ExecOutput out. @throws {DroverError} CLUSTER_UNREACHABLE */
  exec(signal: AbortSignal): Promise<Duplex>;
  /** Builds a source, a tar or tar.gz stream, at the agent. @throws {DroverError} CLUSTER_UNREACHABLE */
  build(options: BuildOptions, source: Readable, signal: AbortSignal): AsyncIterable<BuildProgress>;
  /** @throws {DroverError} CLUSTER_UNREACHABLE */
  hasArtifact(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** The artifact as a tar stream. @throws {DroverError} ARTIFACT_NOT_FOUND, CLUSTER_UNREACHABLE */
  readArtifact(digest: Digest, signal: AbortSignal): Promise<Readable>;
  /** Restarts one instance in place. @throws {DroverError} INSTANCE_NOT_FOUND, CLUSTER_UNREACHABLE */
  restartInstance(id: InstanceId, signal: AbortSignal): Promise<void>;
  /** Resolves once the signal that it was made with has aborted and everything it started has ended. */
  readonly stopped: Promise<void>;
}

/** How soon after one status the next of the same app may follow: people cannot read faster. */
const statusGapMs = 25;

/** Starts everything; it runs until the signal aborts. */
export function createControlPlane(options: ControlPlaneOptions, signal: AbortSignal): ControlPlane {
  const { store, secrets, listener, clock, log } = options;
  const core = startCore(options, signal);
  const onLink = (link: Link) => {
    log.info("linked", { role: link.identity.role, machine: link.identity.machine });
    if (link.identity.role === "agent") core.agentLinked(agentOverLink(link));
    else core.edgeLinked(edgeOverLink(link));
  };
  acceptLinks({ listener, installation: store.installation, fence: { epoch: store.epoch, term: store.term }, log, onLink }, signal);
  const collected = collectArtifacts(
    { store, fleet: core.fleet, clock, log, collectSources: options.collectSources ?? (async () => 0) },
    signal,
  );
  return { ...answersOf(core, options), stopped: Promise.all([core.stopped, collected]).then(() => {}) } satisfies ControlPlane;

  function answersOf({ fleet, routes, subscribers }: Core, { edgeUrl }: ControlPlaneOptions): Omit<ControlPlane, "stopped"> {
    const view = new AppView({ store, core, edgeUrl });
    const requireApp = (space: SpaceName, app: AppName) => {
      const status = view.status(space, app);
      if (status !== null) return status;
      throw new DroverError("APP_NOT_FOUND", `space "${space}" has no app "${app}"`, { hint: '"drover apps" lists those that there are.' });
    };
    return {
      appStatus: (space, app) => view.status(space, app),
      summaries: (space) => view.summaries(space),
      why: (space, app) => requireApp(space, app).reasons,
      instances: (space, app) => view.instances(space, app),
      machines: () =>
        fleet.machines().map(({ id, machine, peer }) => ({
          id,
          hostName: machine.hostName,
          cores: machine.cores,
          memoryBytes: machine.memoryBytes,
          instances: fleet.instancesOn(id),
          linked: peer !== null,
          isolation: machine.isolation,
        })),
      edges: () => routes.edges.map(({ machine, isLinked, revision }) => ({ machine, linked: isLinked, revision })),
      problems: () => problemsOf(core),
      watchApp: (space, app, until) => watchApp(view, core, clock, space, app, until),
      async *changes(until) {
        const follower = subscribers.follow(null);
        try {
          while (!until.aborted) yield await follower.next(until);
        } finally {
          follower.close();
        }
      },
      logs: (query, until) => fleet.requireAgent().logs(query, until),
      execPlace: (space, app, wanted) => chooseExecPlace({ store, fleet, secrets }, space, app, wanted),
      exec: async (until) => fleet.requireAgent().exec(until),
      build: (build, source, until) => fleet.requireAgent().build(build, source, until),
      hasArtifact: async (digest, until) => fleet.requireAgent().hasArtifact(digest, until),
      readArtifact: async (digest, until) => fleet.requireAgent().readArtifact(digest, until),
      restartInstance: async (id, until) => {
        if (fleet.instance(id) === null)
          throw new DroverError("INSTANCE_NOT_FOUND", `there is no instance "${id}"`, { hint: '"drover ps" lists those that run.' });
        await fleet.requireAgent().restart(id, until);
      },
    };
  }
}

function problemsOf({ fleet, routes }: Core): readonly Reason[] {
  const problems: Reason[] = [];
  if (fleet.agent === null)
    problems.push({ code: "AGENT_UNLINKED", message: "no agent is linked; what runs goes on, but nothing is started, stopped or changed" });
  if (!routes.edges.some(({ isLinked }) => isLinked))
    problems.push({ code: "EDGE_UNLINKED", message: "no edge is linked; if it runs, it serves its last table" });
  return problems;
}

async function* watchApp(
  view: AppView,
  { subscribers }: Core,
  clock: Clock,
  space: SpaceName,
  app: AppName,
  signal: AbortSignal,
): AsyncGenerator<AppStatus | null, void, void> {
  const follower = subscribers.follow(appId(space, app));
  try {
    let last: string | null = null;
    while (!signal.aborted) {
      const status = view.status(space, app);
      const text = JSON.stringify(status);
      if (text !== last) {
        last = text;
        yield status;
        await clock.sleep(statusGapMs, signal).catch(() => signal.aborted);
      }
      await follower.next(signal);
    }
  } finally {
    follower.close();
  }
}
