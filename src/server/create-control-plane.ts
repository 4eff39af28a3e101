import { acceptLinks } from "#link/accept.ts";
import type { Link } from "#link/caller.ts";
import type { AppStatus } from "#model/api.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { type AppName, appId, type MachineId, type SpaceName } from "#model/names.ts";
import type { LogQuery, Reason } from "#model/workload.ts";
import { describeAhead } from "#plan/rollout/ahead.ts";
import { Autoscaler } from "./autoscale/autoscaler.ts";
import type { ControlPlane, ControlPlaneOptions } from "./control-plane.ts";
import { collectArtifacts } from "./controllers/artifact-collector.ts";
import { type Core, startCore } from "./controllers/core.ts";
import { EdgeNews } from "./controllers/edge-news.ts";
import { HealthWatch } from "./controllers/health-watch.ts";
import { LogKeeping } from "./controllers/log-keeping.ts";
import { lazyEscalator } from "./escalator/lazy.ts";
import { agentOverLink, edgeOverLink } from "./fleet/peers-over-link.ts";
import { noSuchMachine } from "./members/members.ts";
import { askAppMetrics } from "./metrics/app-metrics.ts";
import { lazyShipping } from "./shipping/lazy-shipping.ts";
import { AppView, instancesOn } from "./view/app-view.ts";
import { edgePlaceProblems, edgeProblems } from "./view/edge-problems.ts";
import { chooseExecPlace } from "./view/exec-place.ts";
import { viewKeptLogs } from "./view/kept-logs.ts";
import { masksFor } from "./view/log-masks.ts";
import { countLogs, logContext, searchLogs } from "./view/log-search.ts";
import { createLogShares } from "./view/log-shares.ts";
import { tailLogs } from "./view/log-tail.ts";
import { boundTo, viewMachines } from "./view/machine-view.ts";
import { SecretMask } from "./view/mask-secrets.ts";
import { mergedLogs } from "./view/merged-logs.ts";
import { askPeers } from "./view/peer-answers.ts";
import { RouteAddresses } from "./view/route-address.ts";
import { viewRoutes, viewTraffic } from "./view/routes-view.ts";
import { shareAnswer } from "./view/share-answer.ts";
import { viewShipping } from "./view/shipping-view.ts";
import { drainsStuck } from "./view/staying.ts";
import { viewUsage } from "./view/usage-view.ts";
import { viewVersions } from "./view/versions/view-versions.ts";

/** How soon after one status the next of the same app may follow: people cannot read faster. */
const statusGapMs = 25;

/** An agent links within a second or two of its start, or of the server's: a call that comes in between waits for it. */
const linkPatienceMs = 5_000;
const linkLookMs = 25;

/** Starts everything; it runs until the signal aborts. */
export function createControlPlane(options: ControlPlaneOptions, signal: AbortSignal): ControlPlane {
  const { store, secrets, listener, clock, log } = options;
  const { machines } = options;
  const core = startCore(
    {
      ...options,
      ...(machines === undefined ? {} : { entryOf: (machine) => machines.entryOf(machine) }),
      unmended: async (space, app) => (await escalations.running())?.unmended(space, `app/${app}`) ?? [],
    },
    signal,
  );
  const keeping = new LogKeeping({ store, clock, log }, signal);
  const news = new EdgeNews({ events: options.events, clock, log });
  const onLink = (link: Link) => {
    log.info("linked", { role: link.identity.role, machine: link.identity.machine });
    if (link.identity.role === "agent") {
      const agent = agentOverLink(link);
      core.agentLinked(agent);
      keeping.follow(agent);
      shipping?.follow(agent);
    } else {
      const edge = edgeOverLink(link);
      core.edgeLinked(edge);
      news.follow(edge, signal);
      autoscaler.follow(edge, signal);
      options.certificates?.edgeLinked(edge);
    }
  };
  acceptLinks({ listener, installation: store.installation, fence: { epoch: store.epoch, term: store.term }, log, onLink }, signal);
  options.remote?.accept(onLink, signal);
  const collected = collectArtifacts(
    { store, fleet: core.fleet, clock, log, collectSources: options.collectSources ?? (async () => 0) },
    signal,
  );
  const escalations = lazyEscalator(options, core, signal);
  const { events } = options;
  // Whoever wants figures at about the same time gets the same ones: every agent and every edge is asked once for all of them.
  const shared = {
    usage: shareAnswer((until) => viewUsage(core.fleet, clock, until), clock, signal),
    traffic: shareAnswer((until) => viewTraffic({ routes: core.routes, clock }, until), clock, signal),
  };
  const mask = new SecretMask(secrets);
  const autoscaler = new Autoscaler(
    {
      context: { store, secrets, events, clock, reservedPorts: new Set() },
      core,
      shared,
      measure: options.measure ?? (() => null),
      mask,
      clock,
      log,
    },
    signal,
  );
  const certificateOf = (host: string) => options.certificates?.certificateOf(host) ?? null;
  const addresses = new RouteAddresses(options.edgeUrl, options.edgeTlsUrl, certificateOf);
  const { random } = options;
  const shipping =
    options.shipping === undefined
      ? null
      : lazyShipping({ ...options.shipping, store, secrets, fleet: core.fleet, events, mask, clock, random, log }, signal);
  const shares = createLogShares();
  const logSearcher = { store, fleet: core.fleet, clock, mask };
  const view = new AppView({ store, core, clock, addresses });
  const health = new HealthWatch({
    events,
    subscribers: core.subscribers,
    clock,
    isKnown: () => core.fleet.isKnown,
    conditionOf: (space, app) => view.condition(space, app),
    reasonsOf: (space, app) => view.summary(space, app)?.reasons ?? [],
  }).run(signal);
  return {
    ...answersOf(core),
    escalator: () => escalations.get(),
    runningEscalator: () => escalations.running(),
    unmended: async (space, target) => (await escalations.running())?.unmended(space, target) ?? [],
    stopped: Promise.all([
      core.stopped.then(() => news.stopped()),
      keeping.stopped(),
      collected,
      escalations.stopped(),
      autoscaler.stopped(),
      health,
      shipping?.stopped(),
    ]).then(() => {}),
  } satisfies ControlPlane;

  function answersOf({ fleet, routes, subscribers }: Core): Omit<ControlPlane, "stopped" | "escalator" | "runningEscalator" | "unmended"> {
    const requireApp = (space: SpaceName, app: AppName) => {
      const status = view.status(space, app);
      if (status !== null) return status;
      throw new DroverError("APP_NOT_FOUND", `space "${space}" has no app "${app}"`, { hint: '"drover apps" lists those that there are.' });
    };
    const linkedAgent = async (until: AbortSignal) => {
      for (let waitedMs = 0; fleet.agent === null && waitedMs < linkPatienceMs; waitedMs += linkLookMs)
        await clock.sleep(linkLookMs, until);
      return fleet.requireAgent();
    };
    const agentOn = (machine: MachineId) => {
      const agent = fleet.agentOn(machine);
      if (agent !== null) return agent;
      // What the server's own machine is called, its agent says: before it has linked, any name may be that.
      const isKnown = fleet.agent === null || viewMachines(store, core, machines).some(({ id }) => id === machine);
      if (!isKnown) throw noSuchMachine(machine);
      throw new DroverError("CLUSTER_UNREACHABLE", `the agent of "${machine}" does not answer`, {
        hint: 'It links by itself when it can; "drover machine ls" shows it.',
      });
    };
    return {
      appStatus: (space, app) => view.status(space, app),
      summary: (space, app) => view.summary(space, app),
      summaries: (space) => view.summaries(space),
      why: (space, app) => requireApp(space, app).reasons,
      instances: (space, app) => view.instances(space, app),
      machines: () => viewMachines(store, core, machines, (machine) => routes.isPublic(machine)),
      instancesOn: (machine) => instancesOn(fleet, machine),
      rebalancer: core.rebalancer,
      reviews: () => (core.fleet.isKnown ? core.reviews.all() : []),
      discardReviews: (reviews, sink) => core.reviews.discard(reviews, sink),
      newestRelease: (id) => core.reviews.newestRelease(id),
      agentOn,
      forgetMachine: (machine) => fleet.forgetMachine(machine),
      edges: () =>
        routes.edges.map(({ machine, isLinked, revision }) => ({ machine, linked: isLinked, revision, public: routes.isPublic(machine) })),
      routes: (which, until) => viewRoutes({ routes, clock, addresses, certificateOf }, which, until),
      versions: (which, until) => viewVersions({ store, fleet, routes, addresses, clock }, which, until),
      traffic: shared.traffic,
      usage: shared.usage,
      shipping: async (sees, until) => {
        const shippers = shipping?.running()?.shippers.filter(({ destination }) => sees(destination.space)) ?? [];
        return shippers.length === 0 ? [] : viewShipping(shippers, { store, fleet, clock }, until);
      },
      appMetrics: shareAnswer(
        (until) => askAppMetrics({ store, fleet, clock, instances: (space, app) => view.instances(space, app) }, until),
        clock,
        signal,
      ),
      scaling: (space, app, process) => autoscaler.scalingOf(space, app, process),
      problems: async (until) => [
        ...problemsOf(core),
        ...drainsStuck({ store, core, boundTo: (machine) => boundTo(store, machine) }),
        ...edgePlaceProblems(options.edges ?? {}, viewMachines(store, core), core),
        ...(options.certificates?.problems() ?? []),
        ...(options.figureProblems?.() ?? []),
        ...(shipping?.running()?.problems ?? []),
        ...edgeProblems(await askPeers(routes.peers, (peer, answering) => peer.problems(answering), clock, until)),
      ],
      watchApp: (space, app, until) => watchApp(view, core, clock, space, app, until),
      async *changes(until) {
        const follower = subscribers.follow(null);
        try {
          while (!until.aborted) yield await follower.next(until);
        } finally {
          follower.close();
        }
      },
      async *logs(query, until) {
        const first = await linkedAgent(until);
        // Lines of what ran elsewhere before are with the machines that it ran on.
        const agents =
          query.instance === null
            ? [first, ...fleet.agents().filter((agent) => agent !== first)]
            : [fleet.agentOf(query.instance) ?? first];
        const sources = agents.map((agent) => ({
          logs: (asked: LogQuery, asking: AbortSignal) =>
            agent.logs(asked.contains === null ? asked : { ...asked, masks: masksFor(logSearcher, agent, [asked.prefix]) }, asking),
        }));
        for await (const line of mergedLogs(sources, query, until)) {
          const text = mask.text(line.instance, line.text);
          // Who follows asked with the masks of then: a secret that came since must not be found either.
          if (query.contains === null || text.includes(query.contains)) yield { ...line, text };
        }
      },
      logSearch: {
        search: (search, until) => shares.run(search.by, () => searchLogs(logSearcher, search, until), until),
        count: (count, until) => shares.run(count.by, () => countLogs(logSearcher, count, until), until),
        context: (context, until) => shares.run(context.by, () => logContext(logSearcher, context, until), until),
        tail: (tail, until) => tailLogs({ ...logSearcher, subscribers: core.subscribers, log }, tail, until),
        kept: (has, until) => viewKeptLogs(logSearcher, has, until),
      },
      execPlace: (space, app, wanted) => chooseExecPlace({ store, fleet, secrets }, space, app, wanted),
      exec: async (where, until) => {
        if (where.kind === "machine") return agentOn(where.machine).exec(until);
        return ((where.kind === "instance" ? fleet.agentOf(where.instance) : null) ?? (await linkedAgent(until))).exec(until);
      },
      async *build(build, source, until) {
        yield* (await linkedAgent(until)).build(build, source, until);
      },
      knownBuild: async (build, archive, until) => (await linkedAgent(until)).knownBuild(build, archive, until),
      hasArtifact: async (digest, until) => (await linkedAgent(until)).hasArtifact(digest, until),
      readArtifact: async (digest, until) => (await linkedAgent(until)).readArtifact(digest, until),
      restartEdge: (machine, until) => routes.restart(machine, until),
      restartInstance: async (id, until) => {
        if (fleet.instance(id) === null)
          throw new DroverError("INSTANCE_NOT_FOUND", `there is no instance "${id}"`, { hint: '"drover ps" lists those that run.' });
        await (fleet.agentOf(id) ?? (await linkedAgent(until))).restart(id, until);
      },
    };
  }
}

function problemsOf({ fleet, routes, reviews }: Core): readonly Reason[] {
  const problems: Reason[] = reviews.all().map((review) => ({
    code: "AHEAD_OF_RESTORE",
    message: `${review.space}/${review.app} ${describeAhead(review)}; "drover restore ls" says what may be done`,
  }));
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
        await pause(clock, statusGapMs, signal);
      }
      await follower.next(signal);
    }
  } finally {
    follower.close();
  }
}
