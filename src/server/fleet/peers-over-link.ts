import type { Finding } from "#checks/finding.ts";
import type { Link } from "#link/caller.ts";
import type { MetricsAnswer } from "#model/app-metrics.ts";
import type { BuildProgress, BuildResult } from "#model/build.ts";
import type { CertificateDigests } from "#model/certificates.ts";
import type { CheckReport } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
import type { InfoAnswer } from "#model/info.ts";
import type { LeaseAnswer } from "#model/lease.ts";
import type { LogContextAnswer, LogCountAnswer, LogEvent, LogSearchAnswer, TailMasked } from "#model/log-event.ts";
import type { KeptLogs } from "#model/log-keep.ts";
import type { UnsentAnswer, UnsentBatch } from "#model/log-shipping.ts";
import type { LookAnswer } from "#model/look.ts";
import type { InstanceId, RouteId, WorkloadId } from "#model/names.ts";
import { nearGiveMs, type PartsOffer, type ProgramsState } from "#model/programs.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";
import type { AgentUsage } from "#model/usage.ts";
import type { EngineChange, LogLine, Machine, ProgramVersion, Workload } from "#model/workload.ts";
import type { AgentPeer, EdgePeer, PortProblem, ProbePeer, StoredArtifact } from "./peers.ts";

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

/** What an agent answers over its link. */
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

/** What an edge answers over its link. */
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
