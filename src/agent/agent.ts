import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { checkRoutes, lazyCheckRoutes } from "#checks/link-routes.ts";
import { readDoor } from "#host/edge-door.ts";
import type { Home } from "#host/home.ts";
import { errorFields } from "#host/log.ts";
import { addressToDial } from "#host/network.ts";
import type { Connector } from "#link/connector.ts";
import { type LinkRoutes, serveLink } from "#link/serve.ts";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import {
  type AppName,
  buildProcess,
  type Digest,
  type MachineId,
  newInstanceId,
  parseWorkloadId,
  runProcess,
  type SpaceName,
  workloadId,
} from "#model/names.ts";
import { type AgentLog, ownLogRoutes } from "./agent-log.ts";
import { artifactRoutes } from "./artifacts/routes.ts";
import { type ArtifactStore, openArtifactStore } from "./artifacts/store.ts";
import { destroyedAppRoutes } from "./destroyed-apps.ts";
import type { Engine } from "./engines/engine.ts";
import { appPath } from "./engines/local/environment.ts";
import { LocalEngine } from "./engines/local/local-engine.ts";
import { killMarked } from "./exec/leftovers.ts";
import { surroundingsOnMachine } from "./exec/on-machine.ts";
import { AgentIdentity } from "./identity.ts";
import { certificateRoutes } from "./join.ts";
import { leaseRoutes } from "./lease-routes.ts";
import { readInfoQuestions, readMetricsQuestions } from "./link-bodies.ts";
import { type LogStore, openLogStore } from "./logs/log-store.ts";
import { logRoutes } from "./logs/routes.ts";
import type { KeptMetrics } from "./metrics/ask-metrics.ts";
import { type LazyStatsd, lazyStatsd } from "./metrics/statsd/lazy-statsd.ts";
import type { AgentOptions } from "./options.ts";
import { keepOwnLines } from "./own-lines.ts";
import { edgeWorkload, ownPrograms, serverWorkload } from "./own-programs.ts";
import { withoutOwnCache } from "./programs/become.ts";
import { lastingPath, programsFolder } from "./programs/place.ts";
import { openPrograms, releaseOf } from "./programs/programs.ts";
import { programsRoutes } from "./programs/routes.ts";
import { engineRoutes } from "./routes.ts";

export interface AgentParts {
  /** The folder that Drover is installed in. */
  readonly root: string;
  readonly home: Home;
  readonly options: AgentOptions;
  /** How it reaches its server. */
  readonly connector: Connector;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly clock: Clock;
  readonly sinceBootMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  /** What starts an agent like this one, but for the program; null where somebody does. */
  readonly restart: readonly string[] | null;
  /** What the agent itself says. */
  readonly ownLog: Pick<AgentLog, "read">;
  /** Has it go on from the folder of another version. */
  readonly become: (root: string) => void;
}

export interface Agent {
  readonly engine: LocalEngine;
  /** Serves the link until the signal aborts. */
  serve(signal: AbortSignal): Promise<void>;
  /** Stops all that runs; kills what is left at once when `now` aborts. */
  stop(now: AbortSignal): Promise<void>;
  /** Stops looking after what runs, which goes on; another agent takes it over. */
  letGo(): Promise<void>;
}

/** Everything has ended ten seconds after it was asked to: the apps get most of that, then the edge and the server their share. */
const appsGraceMs = 6_000;
const ownGraceMs = 1_500;
/** What the greeting of the link takes. */
const longestMachineId = 64;

/** Where other machines reach what runs here; null on a machine that is alone, or has not found its server yet. */
function reachedAt({ options, connector }: Pick<AgentParts, "options" | "connector">): string | null {
  return options.address ?? connector.address() ?? (options.link === null ? null : addressToDial(options.link).host);
}

/** Where instances are to listen for edges of other machines; null where there are none. */
function listenHost(parts: Pick<AgentParts, "options" | "connector">): string | null {
  const address = reachedAt(parts);
  if (address === null) return parts.connector.membership === null ? null : "0.0.0.0";
  return isIPv6(address) ? "::" : "0.0.0.0";
}

/** Takes over what runs, and starts what should: Drover's own programs and all known orders. */
export async function openAgent(parts: AgentParts, signal: AbortSignal): Promise<Agent> {
  const { root, home, options, connector, environment, isRoot, clock, sinceBootMs, random, log } = parts;
  const machine = (connector.membership?.machine ?? hostname().slice(0, longestMachineId)) as MachineId;
  const opened: { engine: LocalEngine | null } = { engine: null };
  const [artifacts, output, identity, version, isEdge] = await Promise.all([
    openArtifactStore({
      folder: join(home.agent, "artifacts"),
      isUsed: (digest) => opened.engine?.usesArtifact(digest) ?? true,
      clock,
      log,
    }),
    openLogStore({ folder: join(home.agent, "logs"), machine, clock, log }, signal),
    AgentIdentity.load(join(home.agent, "identity.json")),
    releaseOf(root),
    readDoor(home.edge),
  ]);
  const path = pathOfApps(parts);
  const executor = lazy(async () => (await import("./exec/executor.ts")).createExecutor({ owner: home.root, clock }));
  const statsd = lazyStatsd({ clock, log });
  const engine = await LocalEngine.open(
    {
      folder: home.agent,
      key: createHash("sha256").update(home.root).digest("hex").slice(0, 8),
      machine,
      own: ownPrograms({
        root,
        home,
        given: options,
        isMember: connector.membership !== null,
        isEdge,
        version,
        env: programEnvironment(withoutOwnCache(root, environment)),
      }),
      onlyToStop: options.down,
      output,
      artifactFolder: async (digest) => folderOf(artifacts, digest),
      openExec: async (surroundings, stop) => (await executor()).start(surroundings, stop),
      path,
      listenHost: () => listenHost(parts),
      isRoot,
      statsd,
      clock,
      // Beside the server, what must not run twice runs whether the server does or not: nobody else could start it.
      sinceBootMs: connector.membership === null ? null : sinceBootMs,
      random,
      log,
    },
    signal,
  );
  opened.engine = engine;
  const swept = await killMarked(`${home.root}#`);
  if (swept > 0) log.info("commands of an earlier agent ended", { processes: swept });
  const exec: Engine["exec"] = async (request, until) => {
    const { where, terminal } = request;
    if (where.kind === "machine") return (await executor()).start(surroundingsOnMachine(request, environment), until);
    const session = await engine.exec(request, until);
    // A terminal shows what somebody types, which is nobody else's business; and so is what somebody looks at in an instance.
    if (where.kind === "instance" || terminal !== null) return session;
    const run = { ...parseWorkloadId(where.workload.id), process: runProcess };
    const { recordSession } = await import("./logs/record-session.ts");
    return recordSession(session, await output.record(newInstanceId(workloadId(run), random)));
  };
  const routes: LinkRoutes = {
    ...allRoutes(parts, { engine, artifacts, output }, version, exec),
    ...metricsRoutes(engine, statsd, clock),
    ...agentCheckRoutes(parts, engine, machine, signal),
    ...agentLookRoutes(parts, engine),
    ...logRoutes(output),
    ...programsRoutes(openPrograms(parts), parts.become),
    ...ownLogRoutes(parts.ownLog),
    ...(connector.membership === null ? {} : certificateRoutes(home)),
    ...destroyedAppRoutes({
      volumesFolder: engine.volumesFolder,
      holds: (app) => engine.holds(app),
      forgetLogs: (app) => output.forget(app),
    }),
  };
  const listening = new AbortController();
  const ownLines = keepOwnLines(parts.ownLog, output, listening.signal).catch((error: unknown) =>
    log.error("what the agent says is not found by searches", errorFields(error)),
  );
  const letGo = async () => {
    await engine.close();
    listening.abort();
    await ownLines;
    await output.close();
  };
  return {
    engine,
    serve: (stop) =>
      serveLink(
        {
          connect: (until) => connector.connect(until),
          hello: () => ({ role: "agent", machine, installation: identity.installation }),
          admit: (server) => identity.admit(server),
          routes,
          clock,
          random,
          log,
        },
        stop,
      ),
    stop: async (now) => {
      const isOwn = (id: string) => id === serverWorkload || id === edgeWorkload;
      await engine.stopAll((id) => !isOwn(id), appsGraceMs, now);
      await engine.stopAll(isOwn, ownGraceMs, now);
      await letGo();
    },
    letGo,
  };
}

function allRoutes(
  { home, options, connector, environment, isRoot, clock, random, log }: AgentParts,
  { engine, artifacts, output }: { readonly engine: LocalEngine; readonly artifacts: ArtifactStore; readonly output: LogStore },
  version: string,
  exec: Engine["exec"],
): LinkRoutes {
  // Builds and commands are rare, and what they need is large: it is loaded when the first one comes.
  const builds = lazy(async () => {
    const [{ openBuilder }, { recordBuilds }, { buildRoutes }, { buildEnvironment }, { confineByCgroup }] = await Promise.all([
      import("./build/builder.ts"),
      import("./build/record-builds.ts"),
      import("./build/routes.ts"),
      import("./build/environment.ts"),
      import("./build/confine-by-cgroup.ts"),
    ]);
    const builder = await openBuilder({
      folder: join(home.agent, "builds"),
      artifacts,
      environment: buildEnvironment(environment, isRoot),
      firstUid: isRoot ? firstBuildUid : null,
      confine: confineByCgroup(engine.cgroups),
      clock,
      log,
    });
    const record = ({ space, app }: { readonly space: string; readonly app: string }) =>
      output.record(
        newInstanceId(workloadId({ space: space as SpaceName, app: app as AppName, process: buildProcess, release: 0 }), random),
      );
    return buildRoutes(recordBuilds(builder, record));
  });
  return {
    ...engineRoutes(engine),
    ...leaseRoutes(engine, clock),
    "POST /info": async (call) => {
      const questions = readInfoQuestions(await call.body());
      const { askInstances } = await import("./info/ask-instances.ts");
      const ports = new Map(engine.running().map(({ id, port }) => [id, port]));
      return { answers: await askInstances(questions, (id) => ports.get(id) ?? null, call.signal) };
    },
    "GET /machine": async (call) => {
      const machine = { ...(await engine.machine(call.signal)), program: { version, node: process.versions.node } };
      const address = reachedAt({ options, connector });
      return address === null ? machine : { ...machine, address };
    },
    ...notifying(artifactRoutes(artifacts), () => engine.artifactsChanged()),
    "POST /exec": async (call) => {
      const { execOverStream } = await import("./exec/exec-stream.ts");
      call.accept();
      await execOverStream(call.stream, exec, call.signal);
      return undefined;
    },
    "POST /builds": async (call) => {
      try {
        return await (await builds())["POST /builds"]?.(call);
      } finally {
        engine.artifactsChanged();
      }
    },
  };
}

/** What apps tell of themselves. */
function metricsRoutes(engine: LocalEngine, statsd: LazyStatsd, clock: AgentParts["clock"]): LinkRoutes {
  const kept: KeptMetrics = new Map();
  const monotonicMs = () => clock.monotonicMs();
  return {
    "POST /metrics": async (call) => {
      const questions = readMetricsQuestions(await call.body());
      const { askMetrics } = await import("./metrics/ask-metrics.ts");
      const ports = new Map(engine.running().map(({ id, port }) => [id, port]));
      return { answers: await askMetrics(questions, { portOf: (id) => ports.get(id), statsd, kept, monotonicMs }, call.signal) };
    },
  };
}

/** Above the users of apps. */
const firstBuildUid = 60_000;
/** Above the users of builds. */
const checksUid = 61_000;

/** Checks too are loaded when the first order for them comes. */
function agentCheckRoutes(parts: AgentParts, engine: LocalEngine, machine: MachineId, signal: AbortSignal): LinkRoutes {
  const { home, options, environment, isRoot, clock, random } = parts;
  return lazyCheckRoutes(async () => {
    const [{ OrderedChecks }, { createRunCheckCommand }, { buildEnvironment }, { confineByCgroup }, { killMarked: killLeft }] =
      await Promise.all([
        import("#checks/ordered-checks.ts"),
        import("./checks/run-command.ts"),
        import("./build/environment.ts"),
        import("./build/confine-by-cgroup.ts"),
        import("./build/confinement.ts"),
      ]);
    const folder = join(home.agent, "checks");
    await killLeft(`${folder}/`);
    const runCommand = createRunCheckCommand({
      folder,
      environment: { PATH: buildEnvironment(environment, isRoot)["PATH"] ?? "" },
      uid: isRoot ? checksUid : null,
      confine: confineByCgroup(engine.cgroups),
    });
    const { allowOutgoing, http, https } = options;
    const edge = { http, https };
    return checkRoutes(new OrderedChecks({ probe: machine, allowOutgoing, edge, runCommand, clock, random }, signal));
  });
}

/** What looks runs as the commands of the same space that act: with their user and their programs. */
function agentLookRoutes(parts: AgentParts, engine: LocalEngine): LinkRoutes {
  const { home, clock } = parts;
  const routes = lazy(async () => {
    const [{ lookRoutes }, { createRunLook }, { confineByCgroup }, { killMarked: killLeft }] = await Promise.all([
      import("./checks/look-route.ts"),
      import("./checks/run-command.ts"),
      import("./build/confine-by-cgroup.ts"),
      import("./build/confinement.ts"),
    ]);
    const folder = join(home.agent, "looks");
    await killLeft(`${folder}/`);
    const look = createRunLook({ folder, environment: { PATH: pathOfApps(parts) }, confine: confineByCgroup(engine.cgroups) });
    return lookRoutes(look, (app) => engine.userOf(app), clock);
  });
  return { "POST /looks": async (call) => (await routes())["POST /looks"]?.(call) };
}

function notifying(routes: LinkRoutes, notify: () => void): LinkRoutes {
  return Object.fromEntries(
    Object.entries(routes).map(([key, handler]) => [key, key.startsWith("GET") ? handler : (call) => handler(call).finally(notify)]),
  );
}

function folderOf(artifacts: ArtifactStore, digest: Digest): string | null {
  if (!artifacts.has(digest)) return null;
  artifacts.use(digest);
  return artifacts.folder(digest);
}

function pathOfApps({ root, home, environment }: AgentParts): string {
  return appPath(environment["PATH"], lastingPath(programsFolder(root, home), root, process.execPath));
}

/** What Drover's own programs get of the environment that it was started in: what changes how they run, and nothing else. */
function programEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const passed = ["NODE_COMPILE_CACHE", "MALLOC_ARENA_MAX", "DROVER_FAILPOINTS"];
  return Object.fromEntries(passed.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])));
}

function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}

/** Makes the agent less likely to be killed when memory is short. False where this user may not. */
export async function protectFromMemoryPressure(write: (file: string, text: string) => Promise<void>, log: Log): Promise<boolean> {
  try {
    await write("/proc/self/oom_score_adj", "-900");
    return true;
  } catch (error) {
    if (!["EACCES", "EPERM", "ENOENT"].some((code) => hasCode(error, code))) throw error;
    log.debug("not protected when memory is short", errorFields(error));
    return false;
  }
}
