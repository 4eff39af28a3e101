import type { Duplex, Readable } from "node:stream";
import type { Finding } from "#checks/finding.ts";
import type { Link } from "#link/caller.ts";
import type { MetricsAnswer, MetricsQuestions } from "#model/app-metrics.ts";
import type { BuildOptions, BuildProgress, BuildResult } from "#model/build.ts";
import type { CertificateChange, CertificateDigests } from "#model/certificates.ts";
import type { CheckOrder, CheckReport } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
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
import { type Neighbour, nearGiveMs, type PartsOffer, type ProgramsOrder, type ProgramsState } from "#model/programs.ts";
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

/** What the server asks of an edge. Every call is tried once. */
export interface PortProblem {
  readonly route: string;
  /** Null: it is not about a port. */
  readonly port: number | null;
  /** PORT_IN_USE, or that the router does not carry the route, or a part of it. */
  readonly code: string;
  readonly message: string;
}

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

/** What an attempt's answer takes beyond the time of the attempt itself. */
const checkAnswerMs = 5_000;
/** A build may upload 512 MiB before its first answer. */
const buildAnswerMs = 10 * 60_000;
/** Putting a version together, and seeing that it starts; `startsWithinMs` of the agent's is half of it. */
const programsAnswerMs = 60_000;
/** Opening the logs of all apps and reading some of each, on a machine that is busy. */
const unsentAnswerMs = 30_000;
/** What an agent takes to end a command whose time is over, with all that it started. */
const lookMarginMs = 15_000;

export function agentOverLink(link: Link): AgentPeer {
  const workload = (id: WorkloadId) => `/workloads/${encodeURIComponent(id)}`;
  const instance = (id: InstanceId, verb: string) => `/instances/${encodeURIComponent(id)}/${verb}`;
  const call = async (method: string, path: string, signal: AbortSignal, body?: unknown) => {
    await link.call(method, path, signal, body === undefined ? {} : { body });
  };
  return {
    machine: link.identity.machine,
    isRemote: link.identity.isRemote,
    gone: link.signal,
    describe: async (signal) => (await link.call("GET", "/machine", signal)) as Machine,
    info: async (questions, signal) => {
      const answer = await unlessUnknown(link.call("POST", "/info", signal, { body: { questions } }));
      return answer === null ? null : (answer as { answers: readonly InfoAnswer[] }).answers;
    },
    metrics: async (questions, signal) => {
      const answer = await unlessUnknown(link.call("POST", "/metrics", signal, { body: questions }));
      return answer === null ? null : (answer as { answers: readonly MetricsAnswer[] }).answers;
    },
    usage: (signal) => unlessUnknown(link.call("GET", "/usage", signal)) as Promise<AgentUsage | null>,
    watch: (signal) => link.lines("GET", "/watch", signal) as AsyncIterable<EngineChange>,
    order: async (id, signal) =>
      ((await unlessUnknown(link.call("GET", workload(id), signal))) as { workload: Workload | null } | null)?.workload ?? null,
    apply: (order, signal) => call("PUT", workload(order.id), signal, order),
    remove: (id, revision, signal) => call("DELETE", `${workload(id)}?revision=${revision}`, signal),
    drained: (id, signal) => call("POST", instance(id, "drained"), signal),
    lease: (body, signal) => unlessUnknown(link.call("POST", "/lease", signal, { body })) as Promise<LeaseAnswer | null>,
    restart: (id, signal) => call("POST", instance(id, "restart"), signal),
    forgetApp: (app, signal) => call("DELETE", `/apps/${encodeURIComponent(app)}`, signal),
    logs: (query, signal) => link.lines("POST", "/logs", signal, { body: query }) as AsyncIterable<LogLine>,
    searchLogs: (body, signal) => unlessUnknown(link.call("POST", "/logs/search", signal, { body })) as Promise<LogSearchAnswer | null>,
    countLogs: (body, signal) => unlessUnknown(link.call("POST", "/logs/count", signal, { body })) as Promise<LogCountAnswer | null>,
    logContext: (body, signal) => unlessUnknown(link.call("POST", "/logs/context", signal, { body })) as Promise<LogContextAnswer | null>,
    tailLogs: (body, signal) => link.lines("POST", "/logs/tail", signal, { body }) as AsyncIterable<LogEvent>,
    remaskTail: (body, signal) => unlessUnknown(link.call("PUT", "/logs/tail/masks", signal, { body })) as Promise<TailMasked | null>,
    keepLogs: (spaces, signal) => call("PUT", "/logs/keep", signal, { spaces }),
    keptLogs: (signal) => unlessUnknown(link.call("GET", "/logs/kept", signal)) as Promise<KeptLogs | null>,
    unsentLogs: (body, signal) =>
      unlessUnknown(
        link.call("POST", "/logs/unsent", signal, { body, timeoutMs: body.waitMs + unsentAnswerMs }),
      ) as Promise<UnsentAnswer | null>,
    readUnsentLogs: (body, signal) =>
      unlessUnknown(link.call("POST", "/logs/unsent/read", signal, { body, timeoutMs: unsentAnswerMs })) as Promise<UnsentBatch | null>,
    exec: (signal) => link.duplex("POST", "/exec", signal),
    build: (options, source, signal) =>
      link.lines("POST", `/builds?options=${encodeURIComponent(JSON.stringify(options))}`, signal, {
        upload: source,
        timeoutMs: buildAnswerMs,
      }) as AsyncIterable<BuildProgress>,
    knownBuild: async (options, archive, signal) => {
      const query = `options=${encodeURIComponent(JSON.stringify(options))}&archive=${encodeURIComponent(archive)}`;
      return (
        ((await unlessUnknown(link.call("POST", `/builds/known?${query}`, signal))) as { result: BuildResult | null } | null)?.result ??
        null
      );
    },
    hasArtifact: async (digest, signal) => {
      try {
        await link.call("HEAD", `/artifacts/${digest}`, signal);
        return true;
      } catch (error) {
        if (error instanceof DroverError && error.code === "ARTIFACT_NOT_FOUND") return false;
        throw error;
      }
    },
    putArtifact: async (digest, content, signal) => {
      await link.call("PUT", `/artifacts/${digest}`, signal, { upload: content, timeoutMs: buildAnswerMs });
    },
    readArtifact: (digest, signal) => link.bytes("GET", `/artifacts/${digest}`, signal),
    artifacts: async (signal) => ((await link.call("GET", "/artifacts", signal)) as { artifacts: readonly StoredArtifact[] }).artifacts,
    ...probeOverLink(link),
    look: async (order, signal) =>
      (await link.call("POST", "/looks", signal, { body: order, timeoutMs: order.timeoutMs + lookMarginMs })) as LookAnswer,
    removeArtifact: (digest, signal) => call("DELETE", `/artifacts/${digest}`, signal),
    ownLog: (query, signal) => link.lines("POST", "/own-log", signal, { body: query }) as AsyncIterable<LogLine>,
    programs: (signal) => orUnreachable(link, signal, link.call("GET", "/programs", signal)) as Promise<ProgramsState>,
    putProgramsPart: async (digest, content, signal) => {
      const answer = link.call("PUT", `/programs/parts/${digest}`, signal, { upload: content, timeoutMs: buildAnswerMs });
      await orUnreachable(link, signal, answer);
    },
    giveParts: (parts, signal) =>
      orUnreachable(
        link,
        signal,
        link.call("POST", "/programs/give", signal, { body: { parts }, timeoutMs: programsAnswerMs }),
      ) as Promise<PartsOffer>,
    fetchPart: async (digest, sizeBytes, { host, port, token }, signal) => {
      // Unpacking it comes on top.
      const options = { body: { host, port, token }, timeoutMs: nearGiveMs(sizeBytes) + programsAnswerMs };
      await orUnreachable(link, signal, link.call("POST", `/programs/parts/${digest}/fetch`, signal, options));
    },
    startPrograms: async (body, signal) => {
      await orUnreachable(link, signal, link.call("POST", "/programs", signal, { body, timeoutMs: programsAnswerMs }));
    },
    keepPrograms: async (signal) => {
      await orUnreachable(link, signal, link.call("POST", "/programs/keep", signal));
    },
    programsBack: async (signal) => {
      await orUnreachable(link, signal, link.call("POST", "/programs/back", signal));
    },
    close: () => link.close(),
  };
}

/** Null in place of the refusal of a peer that is too old to know what it was asked. */
async function unlessUnknown(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DroverError && error.code === "ROUTE_UNKNOWN") return null;
    throw error;
  }
}

/** Whoever goes over to another version ends its link with it: that is no defect of this server's. */
async function orUnreachable(link: Link, signal: AbortSignal, answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DroverError) throw error;
    throw new DroverError("CLUSTER_UNREACHABLE", `the agent of "${link.identity.machine}" does not answer`, {
      cause: error,
      hint: 'It links by itself when it can; "drover machine ls" shows it.',
    });
  }
}

function probeOverLink(link: Link): Pick<ProbePeer, "putChecks" | "checkReports" | "runCheck"> {
  return {
    putChecks: async (order, signal) => {
      await link.call("PUT", "/checks", signal, { body: order });
    },
    checkReports: (signal) => link.lines("GET", "/check-results", signal) as AsyncIterable<CheckReport>,
    runCheck: async (check, withinMs, signal) => {
      const timeoutMs = withinMs + checkAnswerMs;
      return ((await link.call("POST", "/checks/run", signal, { body: { check }, timeoutMs })) as { finding: Finding | null }).finding;
    },
  };
}

export function edgeOverLink(link: Link): EdgePeer {
  return {
    machine: link.identity.machine,
    isLeaving: link.identity.isLeaving,
    gone: link.signal,
    ...probeOverLink(link),
    revision: async (signal) => (await link.call("GET", "/revision", signal)) as { epoch: number; revision: number },
    problems: async (signal) => ((await link.call("GET", "/revision", signal)) as { problems: readonly PortProblem[] }).problems,
    routes: async (signal) =>
      ((await unlessUnknown(link.call("GET", "/table", signal))) as { routes: readonly Route[] } | null)?.routes ?? [],
    putTable: async (table, signal) => {
      await link.call("PUT", "/table", signal, { body: table });
    },
    patchTable: async (patch, signal) => {
      await link.call("PATCH", "/table", signal, { body: patch });
    },
    certificates: async (signal) => (await link.call("GET", "/certificates", signal)) as CertificateDigests,
    patchCertificates: async (change, signal) => {
      await link.call("PATCH", "/certificates", signal, { body: change });
    },
    setDoor: async (isPublic, signal) => {
      const taken = await unlessUnknown(link.call("PUT", "/door", signal, { body: { isPublic } }).then(() => true));
      return taken === null || isPublic;
    },
    restart: async (signal) => {
      await link.call("POST", "/restart", signal);
    },
    async *wanted(signal) {
      for await (const line of link.lines("GET", "/wanted", signal)) yield (line as { readonly route: RouteId | null }).route;
    },
    program: (signal) => unlessUnknown(link.call("GET", "/program", signal)) as Promise<ProgramVersion | null>,
    draining: (signal) => link.lines("GET", "/draining", signal) as AsyncIterable<Draining>,
    traffic: async (signal) => ((await link.call("GET", "/traffic", signal)) as { targets: readonly TargetTraffic[] }).targets,
    close: () => link.close(),
  };
}
