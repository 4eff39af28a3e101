import type { Server } from "node:net";
import type { Duplex, Readable } from "node:stream";
import type { Labels } from "#host/edges-option.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { AppStatus, AppSummary, InstanceView } from "#model/api.ts";
import type { KeptLogsView, LogContextView, LogHistogram, LogPage, LogTailItem } from "#model/api-logs.ts";
import type { MachineView } from "#model/api-machines.ts";
import type { RouteView } from "#model/api-routes.ts";
import type { ShippingDestinationView } from "#model/api-shipping.ts";
import type { UsageView } from "#model/api-usage.ts";
import type { VersionsView } from "#model/api-versions.ts";
import type { BuildOptions, BuildProgress, BuildResult } from "#model/build.ts";
import type { Clock } from "#model/clock.ts";
import type { ExecRequest } from "#model/exec.ts";
import type { Log } from "#model/log.ts";
import type { LogContext, LogCount, LogSearch, LogTail } from "#model/log-event.ts";
import type { AppId, AppName, Digest, InstanceId, MachineId, ProcessName, SpaceName } from "#model/names.ts";
import type { TargetTraffic } from "#model/routing-table.ts";
import type { Target } from "#model/target.ts";
import type { LogLine, LogQuery, Reason } from "#model/workload.ts";
import type { Scaling } from "./autoscale/autoscaler.ts";
import type { CertificateController } from "./certificates/certificate-controller.ts";
import type { Rebalancer } from "./controllers/rebalancer.ts";
import type { Review } from "./controllers/reviews.ts";
import type { Escalator } from "./escalator/escalator.ts";
import type { EventLog, EventSink } from "./events/event-log.ts";
import type { Measure } from "./figures/measure.ts";
import type { AgentPeer } from "./fleet/peers.ts";
import type { MachineIdentities } from "./members/machine-identities.ts";
import type { RemoteLinks } from "./members/remote-links.ts";
import type { ToldMetrics } from "./metrics/app-metrics.ts";
import type { Secrets } from "./secrets/secrets.ts";
import type { ShippingOptions } from "./shipping/shipping.ts";
import type { LostRevisions } from "./store/lost-revisions.ts";
import type { Store } from "./store/store.ts";
import type { Traffic, WhichRoutes } from "./view/routes-view.ts";
import type { WhichVersions } from "./view/versions/view-versions.ts";

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly events: EventLog;
  readonly secrets: Secrets;
  /** Where agents and edges of this machine dial: listening already, or about to. */
  readonly listener: Server;
  /** Those of other machines; left out: there are none. */
  readonly remote?: Pick<RemoteLinks, "accept" | "address" | "createToken" | "remove">;
  /** How long a machine may be silent before it is lost. Default 5,000 ms. */
  readonly lostAfterMs?: number;
  /** What restores of backups have lost. Default: nothing. */
  readonly lost?: readonly LostRevisions[];
  /** What machines are labelled with that take what comes from outside. Left out: each does. */
  readonly edges?: Labels;
  /** Who the machines are to each other, where their traffic is encrypted. Left out: it is plain. */
  readonly machines?: Pick<MachineIdentities, "entryOf">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** The edge's public address, such as `http://127.0.0.1:8080`: gives scheme and port of the apps' URLs. */
  readonly edgeUrl: string;
  /** The same of its TLS port. */
  readonly edgeTlsUrl: string;
  /** What escalations need; left out: there are none. */
  readonly escalations?: {
    /** Where the records of checks lie. */
    readonly recordsFile: string;
    /** What the server keeps of hosts that it logs in to. */
    readonly sshFolder: string;
    /** Of programs that the server itself starts. */
    readonly environment: Readonly<Record<string, string | undefined>>;
    /** Judges addresses that users named. */
    readonly outgoing: ResolveOutgoing;
    /** Where people reach the API. */
    readonly apiUrl: () => string;
    readonly edge: { readonly host: string; readonly httpPort: number; readonly httpsPort: number };
  };
  /** Sending logs to others; left out: none are sent. */
  readonly shipping?: Pick<ShippingOptions, "folder" | "resolve">;
  /** Told of edges, and asked what is wrong. Left out: the edges get no certificates. */
  readonly certificates?: Pick<CertificateController, "edgeLinked" | "problems" | "certificateOf">;
  /** A figure over the last time; null while it is not known. Left out: none is. */
  readonly measure?: Measure;
  /** What is wrong with figures over time. Left out: nobody follows them. */
  readonly figureProblems?: () => readonly Reason[];
  /** Deletes uploaded sources that nobody asked for since `beforeMs`; how many went. Left out: there are none. */
  readonly collectSources?: (beforeMs: number, signal: AbortSignal) => Promise<number>;
}

/** One edge, as far as the server knows it. */
export interface EdgeView {
  readonly machine: string;
  readonly linked: boolean;
  /** Revision of the table that it confirmed last; null before the first. */
  readonly revision: number | null;
  /** Whether it takes what comes from outside; null while it has not said. */
  readonly public: boolean | null;
}

/** What one edge counted for one route and release since its start. */
export interface RouteTraffic {
  readonly machine: MachineId;
  readonly route: { readonly space: string; readonly app: string; readonly process: string; readonly place: string };
  readonly counted: TargetTraffic;
}

/** Where a command is to run, chosen from what the caller asked for. */
export interface ExecPlace {
  readonly where: ExecRequest["where"];
  /** Null for fresh surroundings. */
  readonly instance: InstanceId | null;
}

/** Whose share of the searches a question is of: a token's id. */
interface Caller {
  readonly by: string;
}

/**
 * Everything between the store and the links: keeps what agents report, runs the controllers, and answers questions about both.
 * Reads are synchronous and come from memory. Calls that need an agent throw CLUSTER_UNREACHABLE while none is linked.
 */
export interface ControlPlane {
  /** How it is with the destinations of logs, of spaces that `sees` admits. */
  shipping(sees: (space: SpaceName) => boolean, signal: AbortSignal): Promise<readonly ShippingDestinationView[]>;
  /** Everything about one app now; null if the app does not exist. */
  appStatus(space: SpaceName, app: AppName): AppStatus | null;
  /** What lists show of one app; null if it does not exist. */
  summary(space: SpaceName, app: AppName): AppSummary | null;
  /** All apps of a space, or of all spaces, by space and name. */
  summaries(space?: SpaceName): readonly AppSummary[];
  /** Why the app is not running or not ready, in words; empty when it is. @throws {DroverError} APP_NOT_FOUND */
  why(space: SpaceName, app: AppName): AppStatus["reasons"];
  instances(space: SpaceName, app: AppName): readonly InstanceView[];
  machines(): readonly MachineView[];
  /** What runs on a machine, of all apps; nothing where the machine is not known. */
  instancesOn(machine: MachineId): readonly InstanceView[];
  /** Makes instances more even over the machines. */
  readonly rebalancer: Pick<Rebalancer, "plan" | "start" | "stop" | "progress">;
  /** Apps that run what a restored store does not know, and about which nobody has decided. */
  reviews(): readonly Review[];
  /** The restored state holds for these apps. */
  discardReviews(reviews: readonly Review[], events: EventSink): Promise<void>;
  /** The newest release that an agent tells of. @throws {DroverError} CLUSTER_UNREACHABLE while they have not told, after a restore */
  newestRelease(app: AppId): number;
  /** The machine's agent, for what concerns that machine alone. @throws {DroverError} MACHINE_NOT_FOUND, CLUSTER_UNREACHABLE */
  agentOn(machine: MachineId): AgentPeer;
  /** The machine was removed: nothing that it reported counts any more. */
  forgetMachine(machine: MachineId): void;
  edges(): readonly EdgeView[];
  /** Routes that carry traffic, of one app, of a space or all, by app and place. Asks the edges what they counted, for at most a second. */
  routes(which: WhichRoutes, signal: AbortSignal): Promise<readonly RouteView[]>;
  /** The same figures as every edge counted them. Asks the edges, for at most a second; those that do not answer are left out. */
  traffic(signal: AbortSignal): Promise<Traffic>;
  /** What machines and instances use. Asks the agents, for at most a second. */
  usage(signal: AbortSignal): Promise<UsageView>;
  /** Which version of what runs where. Asks agents and edges, for at most a second. */
  versions(which: WhichVersions, signal: AbortSignal): Promise<VersionsView>;
  /** Figures that instances tell of themselves, where their manifests say so. Asks the agents, for at most a second. */
  appMetrics(signal: AbortSignal): Promise<readonly ToldMetrics[]>;
  /** What was decided last about a process that follows its load; null while it was not looked at. */
  scaling(space: SpaceName, app: AppName, process: ProcessName): Scaling | null;
  /** What is wrong with the installation as a whole, such as no linked agent. Asks the edges, for at most a second. */
  problems(signal: AbortSignal): Promise<readonly Reason[]>;
  /**
   * The app's status now and after each change, changes close together as one; null when the app does not exist (any more).
   * Ends when the signal aborts.
   */
  watchApp(space: SpaceName, app: AppName, signal: AbortSignal): AsyncIterable<AppStatus | null>;
  /** Ids of apps whose status may have changed since the last batch, changes close together as one batch. Ends when the signal aborts. */
  changes(signal: AbortSignal): AsyncIterable<ReadonlySet<AppId>>;

  /** @throws {DroverError} CLUSTER_UNREACHABLE */
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Questions about what instances printed, answered by all agents that can be asked; the answer names those that cannot. */
  readonly logSearch: {
    /** Of one caller, a few at a time. @throws {DroverError} OVERLOADED, as for the next two */
    search(search: LogSearch & Caller, signal: AbortSignal): Promise<LogPage>;
    count(count: LogCount & Caller, signal: AbortSignal): Promise<LogHistogram>;
    context(context: LogContext & Caller, signal: AbortSignal): Promise<LogContextView>;
    tail(tail: LogTail, signal: AbortSignal): AsyncIterable<LogTailItem>;
    /** What machines keep of the spaces that `has` admits, and of all together. */
    kept(has: (space: string) => boolean, signal: AbortSignal): Promise<KeptLogsView>;
  };
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
  /** The two-way stream of an exec at the agent of the instance or the machine, for fresh surroundings at the one beside the server: lines of ExecInput in (the first is `start`), lines of ExecOutput out. @throws {DroverError} CLUSTER_UNREACHABLE */
  exec(where: ExecRequest["where"], signal: AbortSignal): Promise<Duplex>;
  /** Builds a source, a tar or tar.gz stream, at the agent. @throws {DroverError} CLUSTER_UNREACHABLE */
  build(options: BuildOptions, source: Readable, signal: AbortSignal): AsyncIterable<BuildProgress>;
  /** What an archive became when it was built so before; null if nobody remembers. @throws {DroverError} CLUSTER_UNREACHABLE */
  knownBuild(options: BuildOptions, archive: Digest, signal: AbortSignal): Promise<BuildResult | null>;
  /** @throws {DroverError} CLUSTER_UNREACHABLE */
  hasArtifact(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** The artifact as a tar stream. @throws {DroverError} ARTIFACT_NOT_FOUND, CLUSTER_UNREACHABLE */
  readArtifact(digest: Digest, signal: AbortSignal): Promise<Readable>;
  /** Restarts one instance in place. @throws {DroverError} INSTANCE_NOT_FOUND, CLUSTER_UNREACHABLE */
  restartInstance(id: InstanceId, signal: AbortSignal): Promise<void>;
  /** What the checks and ladders of a space want people to look at. @param target null: all of it */
  unmended(space: SpaceName, target: Target | null): Promise<readonly Reason[]>;
  /** What watches and mends; loaded by the first who asks, or when the first space has a ladder. */
  escalator(): Promise<Escalator>;
  /** The same if it is loaded; null if not. */
  runningEscalator(): Promise<Escalator | null>;
  /** Has the machine's edge hand over to another one. @throws {DroverError} CLUSTER_UNREACHABLE, NOT_YET_SUPPORTED, TIMED_OUT */
  restartEdge(machine: MachineId, signal: AbortSignal): Promise<void>;
  /** Resolves once the signal that it was made with has aborted and everything it started has ended. */
  readonly stopped: Promise<void>;
}
