import type { Duplex, Readable } from "node:stream";
import type { Finding } from "#checks/finding.ts";
import type { MetricsAnswer, MetricsQuestions } from "#model/app-metrics.ts";
import type { BuildOptions, BuildProgress, BuildResult } from "#model/build.ts";
import type { CertificateChange, CertificateDigests } from "#model/certificates.ts";
import type { CheckOrder, CheckReport } from "#model/check-orders.ts";
import type { InfoAnswer, InfoQuestion } from "#model/info.ts";
import type { LeaseAnswer, LeaseRenewal } from "#model/lease.ts";
import type {
  LogContext,
  LogContextAnswer,
  LogCount,
  LogCountAnswer,
  LogEvent,
  LogSearch,
  LogSearchAnswer,
  LogTail,
  TailMasked,
  TailMasks,
} from "#model/log-event.ts";
import type { KeepRules, KeptLogs } from "#model/log-keep.ts";
import type { UnsentAnswer, UnsentBatch, UnsentQuestion, UnsentRead } from "#model/log-shipping.ts";
import type { LookAnswer, LookOrder } from "#model/look.ts";
import type { AppId, CheckId, Digest, InstanceId, MachineId, RouteId, WorkloadId } from "#model/names.ts";
import type { Neighbour, PartsOffer, ProgramsOrder, ProgramsState } from "#model/programs.ts";
import type { Draining, Route, RoutingPatch, RoutingTable, TargetTraffic } from "#model/routing-table.ts";
import type { AgentUsage } from "#model/usage.ts";
import type { EngineChange, LogLine, LogQuery, Machine, ProgramVersion, Workload } from "#model/workload.ts";

export interface StoredArtifact {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Epoch milliseconds of its last use. */
  readonly usedAtMs: number;
}

/** What the server asks of whoever makes checks for it. Every call is tried once. */
export interface ProbePeer {
  readonly machine: MachineId;
  /** Aborted when it is gone. */
  readonly gone: AbortSignal;
  /** The checks that it makes from now on. */
  putChecks(order: CheckOrder, signal: AbortSignal): Promise<void>;
  checkReports(signal: AbortSignal): AsyncIterable<CheckReport>;
  /** Makes one of those checks now; null when it does not have it. @param withinMs how long its attempt may take */
  runCheck(check: CheckId, withinMs: number, signal: AbortSignal): Promise<Finding | null>;
}

/** What the server asks of an agent. Every call is tried once. */
export interface AgentPeer extends ProbePeer {
  /** It is on another machine than the server. */
  readonly isRemote: boolean;
  describe(signal: AbortSignal): Promise<Machine>;
  /** What runs there uses, measured now; null where the agent is too old to measure. */
  usage(signal: AbortSignal): Promise<AgentUsage | null>;
  /** Asks instances there what they say of themselves; null where the agent is too old to ask. */
  info(questions: readonly InfoQuestion[], signal: AbortSignal): Promise<readonly InfoAnswer[] | null>;
  /** Asks instances there for the figures that they tell; null where the agent is too old to ask. */
  metrics(questions: MetricsQuestions, signal: AbortSignal): Promise<readonly MetricsAnswer[] | null>;
  watch(signal: AbortSignal): AsyncIterable<EngineChange>;
  /** What it was told last of a workload; null if nothing, also where it is too old to be asked. */
  order(id: WorkloadId, signal: AbortSignal): Promise<Workload | null>;
  apply(workload: Workload, signal: AbortSignal): Promise<void>;
  remove(id: WorkloadId, revision: number, signal: AbortSignal): Promise<void>;
  drained(id: InstanceId, signal: AbortSignal): Promise<void>;
  /** Null where the agent is too old to know of leases. */
  lease(renewal: LeaseRenewal, signal: AbortSignal): Promise<LeaseAnswer | null>;
  restart(id: InstanceId, signal: AbortSignal): Promise<void>;
  /** Removes the volumes and lines of a destroyed app. */
  forgetApp(app: AppId, signal: AbortSignal): Promise<void>;
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Those of logs: null where the agent is too old to search. */
  searchLogs(search: LogSearch, signal: AbortSignal): Promise<LogSearchAnswer | null>;
  countLogs(count: LogCount, signal: AbortSignal): Promise<LogCountAnswer | null>;
  logContext(context: LogContext, signal: AbortSignal): Promise<LogContextAnswer | null>;
  tailLogs(tail: LogTail, signal: AbortSignal): AsyncIterable<LogEvent>;
  /** Null where the agent is too old: the masks of its tails stay as they are. */
  remaskTail(change: TailMasks, signal: AbortSignal): Promise<TailMasked | null>;
  /** How long each space wants its lines kept. @throws {DroverError} ROUTE_UNKNOWN where it is too old to be told */
  keepLogs(spaces: KeepRules, signal: AbortSignal): Promise<void>;
  /** What it keeps of logs; null where it is too old to say. */
  keptLogs(signal: AbortSignal): Promise<KeptLogs | null>;
  /** Both: null where the agent is too old to be read on and on. */
  unsentLogs(question: UnsentQuestion, signal: AbortSignal): Promise<UnsentAnswer | null>;
  readUnsentLogs(read: UnsentRead, signal: AbortSignal): Promise<UnsentBatch | null>;
  exec(signal: AbortSignal): Promise<Duplex>;
  build(options: BuildOptions, source: Readable, signal: AbortSignal): AsyncIterable<BuildProgress>;
  /** What the agent remembers of an archive; null if nothing, also where it is too old to be asked. */
  knownBuild(options: BuildOptions, archive: Digest, signal: AbortSignal): Promise<BuildResult | null>;
  hasArtifact(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** Takes an artifact as a tar stream. @throws {DroverError} DIGEST_MISMATCH */
  putArtifact(digest: Digest, content: Readable, signal: AbortSignal): Promise<void>;
  readArtifact(digest: Digest, signal: AbortSignal): Promise<Readable>;
  /** Runs a command that looks, and ends it when the signal aborts. */
  look(order: LookOrder, signal: AbortSignal): Promise<LookAnswer>;
  artifacts(signal: AbortSignal): Promise<readonly StoredArtifact[]>;
  removeArtifact(digest: Digest, signal: AbortSignal): Promise<void>;
  /** What the agent itself says. @throws {DroverError} ROUTE_UNKNOWN where it is too old to tell */
  ownLog(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** What it runs of Drover. @throws {DroverError} ROUTE_UNKNOWN where it is too old to be upgraded so, as for all of the following */
  programs(signal: AbortSignal): Promise<ProgramsState>;
  /** @throws {DroverError} DIGEST_MISMATCH, STORAGE_FULL */
  putProgramsPart(digest: string, content: Readable, signal: AbortSignal): Promise<void>;
  /** Has it give parts that it has to others. @throws {DroverError} UNHEALTHY */
  giveParts(parts: readonly string[], signal: AbortSignal): Promise<PartsOffer>;
  /** Has it take a part from another machine. @throws {DroverError} UNHEALTHY, DIGEST_MISMATCH, STORAGE_FULL */
  fetchPart(digest: string, sizeBytes: number, from: Neighbour, signal: AbortSignal): Promise<void>;
  startPrograms(order: ProgramsOrder, signal: AbortSignal): Promise<void>;
  keepPrograms(signal: AbortSignal): Promise<void>;
  programsBack(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** A route that an edge does not carry as it should. */
export interface PortProblem {
  readonly route: string;
  /** Null: it is not about a port. */
  readonly port: number | null;
  /** PORT_IN_USE, or that the router does not carry the route, or a part of it. */
  readonly code: string;
  readonly message: string;
}

/** What the server asks of an edge. Every call is tried once. */
export interface EdgePeer extends ProbePeer {
  /** Another edge has taken its place on the machine; it only finishes what it has. */
  readonly isLeaving: boolean;
  revision(signal: AbortSignal): Promise<{ readonly epoch: number; readonly revision: number }>;
  /** Ports that it should listen on and cannot. */
  problems(signal: AbortSignal): Promise<readonly PortProblem[]>;
  /** The routes that it has; none where it is too old to be asked. */
  routes(signal: AbortSignal): Promise<readonly Route[]>;
  putTable(table: RoutingTable, signal: AbortSignal): Promise<void>;
  patchTable(patch: RoutingPatch, signal: AbortSignal): Promise<void>;
  certificates(signal: AbortSignal): Promise<CertificateDigests>;
  patchCertificates(change: CertificateChange, signal: AbortSignal): Promise<void>;
  /** Has it open its public ports, or close them. @returns whether they are open: they are where it is too old to close them */
  setDoor(isPublic: boolean, signal: AbortSignal): Promise<boolean>;
  /** Asks for another edge on its sockets. @throws {DroverError} NOT_YET_SUPPORTED where nobody holds them */
  restart(signal: AbortSignal): Promise<void>;
  /** Routes whose requests wait for an instance; null first, once it says them. @throws {DroverError} NOT_YET_SUPPORTED, ROUTE_UNKNOWN where none is held */
  wanted(signal: AbortSignal): AsyncIterable<RouteId | null>;
  /** What it is; null where it is too old to say. */
  program(signal: AbortSignal): Promise<ProgramVersion | null>;
  draining(signal: AbortSignal): AsyncIterable<Draining>;
  traffic(signal: AbortSignal): Promise<readonly TargetTraffic[]>;
  close(): void;
}
