import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { MachineView } from "#model/api-machines.ts";
import type { CheckResult, ExpandedCheck } from "#model/check.ts";
import type { Clock } from "#model/clock.ts";
import type { DroverError } from "#model/errors.ts";
import { webhookSecret } from "#model/ladder.ts";
import type { Log } from "#model/log.ts";
import type { Measurement } from "#model/measurement.ts";
import type { CheckId, MachineId, PoolName, SpaceName, WorkloadId } from "#model/names.ts";
import { isOfPool } from "#model/pool.ts";
import type { Target } from "#model/target.ts";
import type { Reason } from "#model/workload.ts";
import { windowOf } from "#plan/checks/window.ts";
import { mendedAtMs } from "#plan/ladder/mended-at.ts";
import type { Core } from "../controllers/core.ts";
import { followStore } from "../controllers/follow-store.ts";
import { WorkQueue } from "../controllers/work-queue.ts";
import type { EventLog } from "../events/event-log.ts";
import { finest } from "../figures/levels.ts";
import type { Measure } from "../figures/measure.ts";
import { findMember } from "../members/members.ts";
import type { RemoteLinks } from "../members/remote-links.ts";
import { ladderObjects } from "../objects/ladder-objects.ts";
import { objects } from "../objects/objects.ts";
import { poolObjects } from "../objects/pool-objects.ts";
import { readPoolSize } from "../objects/pool-size.ts";
import type { OperationContext } from "../operations/context.ts";
import { compilePool } from "../pools/compile-pool.ts";
import { machinePlaces } from "../pools/machine-places.ts";
import { PoolWatch } from "../pools/pool-watch.ts";
import { PoolKeeper, type PoolStanding } from "../pools/rules/pool-keeper.ts";
import { poolReasons } from "../pools/rules/pool-reasons.ts";
import { sweepCalls } from "../pools/ssh/ssh-provider.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Store } from "../store/store.ts";
import { SecretMask } from "../view/mask-secrets.ts";
import { type Acknowledgements, createAcknowledgements } from "./acknowledgements.ts";
import { createRunAction, forgetStep } from "./actions/run-action.ts";
import { sweepTasks } from "./actions/sweep-tasks.ts";
import { endTask, runTask } from "./actions/task.ts";
import { assignChecks } from "./assign-checks.ts";
import { checkOnce, type FoundOnce } from "./check-once.ts";
import { type CheckRecords, openCheckRecords } from "./check-records.ts";
import { EscalationController } from "./controller.ts";
import { countForCheck } from "./count-logs.ts";
import { deliveriesFor } from "./deliveries.ts";
import { EdgeHosts, edgeSeenFrom } from "./edge-hosts.ts";
import { JudgedChecks } from "./judged-checks.ts";
import { takeLead } from "./leadership.ts";
import { LinkedProbes } from "./linked-probes.ts";
import { ofTarget } from "./of-target.ts";
import { watchOwnNetwork } from "./own-network.ts";
import { findUnmended } from "./problems.ts";
import { createProviders } from "./providers.ts";
import { countReadyMachines } from "./ready-machines.ts";
import { ServerProbe, serverProbe } from "./server-probe.ts";
import { spaceLadder } from "./space-ladder.ts";
import { SpaceScene } from "./space-scene.ts";
import { StepExecutor } from "./step-executor.ts";
import { Teller } from "./teller.ts";
import { tellingRecords } from "./telling-records.ts";
import { topologyOf } from "./topology.ts";
import { webhookKey } from "./webhook.ts";

/** Spaces that are worked on at once. */
const concurrency = 8;
/** What decides: whoever writes below one of these makes its space be looked at. */
const prefixes = ["/ladders/", "/apps/", "/pools/", "/pool-sizes/", "/switches/", "/escalations/", "/pauses/"];

export interface EscalatorOptions {
  readonly store: Store;
  readonly events: EventLog;
  readonly secrets: Secrets;
  readonly core: Core;
  /** How machines that are made join; null: no other machine can join this server. */
  readonly remote: Pick<RemoteLinks, "address" | "createToken" | "remove"> | null;
  /** Where the records of checks lie. */
  readonly recordsFile: string;
  /** What the server keeps of hosts that it logs in to. */
  readonly sshFolder: string;
  /** Of programs that the server itself starts. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Judges addresses that users named. */
  readonly outgoing: ResolveOutgoing;
  readonly apiUrl: () => string;
  readonly edge: { readonly host: string; readonly httpPort: number; readonly httpsPort: number };
  /** A figure over the last time; null while it is not known. */
  readonly measure: Measure;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Everything that watches and mends: what the API asks, and what runs by itself. */
export interface Escalator {
  readonly controller: EscalationController;
  readonly records: CheckRecords;
  /** The clock that escalations decide by: epoch milliseconds that do not jump while the server runs. */
  readonly nowMs: () => number;
  /** Makes a check once now, from everywhere that it is made from. @throws {DroverError} CHECK_IMPOSSIBLE, ADDRESS_REFUSED */
  once(space: SpaceName, check: ExpandedCheck, signal: AbortSignal): Promise<FoundOnce>;
  /** Null when nothing of the space is checked. */
  sceneOf(space: SpaceName): SpaceScene | null;
  /** What somebody should look at. @param target null: of the whole space */
  unmended(space: SpaceName, target: Target | null): readonly Reason[];
  /** Something called in. False when there is no such heartbeat. */
  beat(space: SpaceName, check: CheckId): boolean;
  readonly acknowledgements: Acknowledgements;
  /** The machines of pools, as their providers tell of them. */
  readonly pools: PoolWatch;
  /** What the rules of a pool have decided; null: it has none, or was not looked at yet. */
  poolStanding(space: SpaceName, pool: PoolName): PoolStanding | null;
  /** The pool that a machine is of, by its name, and what its rules intend with it; null: none. */
  poolOf(machine: MachineId): MachineView["pool"];
  readonly stopped: Promise<void>;
}

/** A command that tells people has little to do. */
const tellTimeoutMs = 60_000;

/** Starts it; it runs until the signal aborts. */
export async function startEscalator(options: EscalatorOptions, signal: AbortSignal): Promise<Escalator> {
  const { store, events, secrets, core, remote, outgoing, edge, clock, random, log } = options;
  const { fleet, subscribers } = core;
  // Whole milliseconds: they become part of ids that people read.
  const steadyNowMs = () => Math.round(core.steadyNowMs());
  const lead = await takeLead(store);
  const records = tellingRecords(openCheckRecords({ file: options.recordsFile, log }), events);
  const steadyClock: Clock = {
    nowMs: steadyNowMs,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, until) => clock.sleep(ms, until),
  };
  const scenes = new Map<SpaceName, SpaceScene>();
  const hosts = new EdgeHosts(store);
  const edgeAddress = { address: edge.host, family: edge.host.includes(":") ? 6 : 4 } as const;
  const mask = new SecretMask(secrets);

  // Operations by people look at ports; those of the Escalator give none.
  const context: OperationContext = { store, secrets, events, clock, reservedPorts: new Set() };
  const tasks = { store, fleet, subscribers, clock, awaited: new Set<WorkloadId>() };
  const forgetMember = async (machine: MachineId) => {
    if (remote === null || findMember(store, machine) === null) return;
    await remote.remove(machine);
    fleet.forgetMachine(machine);
  };
  const { sshFolder, environment } = options;
  await sweepCalls(sshFolder);
  const pools = new PoolWatch(
    {
      pools: () =>
        poolObjects.pools(store).map(({ value }) => compilePool(value, readPoolSize(store, value.space, value.name)?.value ?? null)),
      providerOf: createProviders({ secrets, remote, forgetMember, sshFolder, environment, outgoing, tasks, log }, signal),
      clock,
      steadyNowMs,
      log,
      onChange: (space) => {
        judged.look(space);
        queue.wake(space);
      },
    },
    signal,
  );
  const actions = { ...tasks, context, lead, pools, forgetMember };
  const executor = new StepExecutor(
    { store, lead, run: createRunAction(actions), forget: (space, step) => forgetStep(actions, space, step), clock, steadyNowMs, log },
    signal,
  );
  /** By the clock on the wall, which figures and lines are stamped with; steps are by the one that never jumps. */
  const mendedAt = (space: SpaceName, target: Target) => {
    const index = scenes.get(space)?.index;
    if (index === undefined) return null;
    const escalations = ladderObjects.escalations(store, space).map(({ value }) => value);
    const atMs = mendedAtMs({ index, escalations }, target);
    return atMs === null ? null : atMs - steadyNowMs() + clock.nowMs();
  };
  const onResult = (space: SpaceName, result: CheckResult) => {
    if (scenes.get(space)?.add(result) !== true) return;
    judged.look(space);
    queue.wake(space);
  };
  const probe = new ServerProbe(
    {
      resolve: hosts.resolver(() => edgeSeenFrom(null, edgeAddress, core), outgoing),
      countLogs: (test, until) => countForCheck({ store, fleet, clock, mask }, test, mendedAt(test.of.space, test.of.target), until),
      clock: steadyClock,
      random,
      onResult,
      onImpossible: (space, check, error) => onImpossible(space, check, error),
    },
    signal,
  );
  const onImpossible = (space: SpaceName, check: CheckId, error: DroverError | null) => {
    // It comes at every attempt, and is told once.
    const isNews = scenes.get(space)?.setImpossible(check, error) === true;
    if (isNews && error !== null)
      events.append({ space, subject: check, kind: "check.impossible", message: `${check} cannot be made: ${error.message}` });
  };
  const linked = new LinkedProbes(
    {
      fleet,
      routes: core.routes,
      edgeFor: (machine) => edgeSeenFrom(machine, edgeAddress, core),
      edgeHosts: () => hosts.all(),
      clock,
      steadyNowMs,
      log,
      onResult,
      onImpossible,
      onProbes: () => wakeAll(),
    },
    signal,
  );
  const readyMachines = (space: SpaceName, pool: string) => {
    const scene = scenes.get(space);
    return scene === undefined ? 0 : countReadyMachines(pools, scene, pool as PoolName);
  };
  const measure = (space: SpaceName, target: Target, measurement: Measurement) => {
    const window = windowOf(measurement.overMs, clock.nowMs(), mendedAt(space, target), finest.stepMs);
    const value = window === null ? null : options.measure(measurement, ofTarget(space, target), window);
    return window === null || value === null ? null : { value, window };
  };
  const judged = new JudgedChecks({ fleet, clock: steadyClock, onResult, readyMachines, measure }, signal);

  const sceneOf = (space: SpaceName): SpaceScene | null => {
    const ladder = spaceLadder(store, space);
    if (ladder === null) {
      if (scenes.delete(space)) {
        probe.set(space, []);
        judged.set(space, []);
        linked.set(space, { agent: [], edge: [] });
      }
      return null;
    }
    let scene = scenes.get(space);
    if (scene === undefined) scenes.set(space, (scene = new SpaceScene(space, records, steadyNowMs())));
    const names = { server: [serverProbe], agent: linked.names("agent"), edge: linked.names("edge") };
    const places = machinePlaces(pools, space);
    if (!scene.update(ladder, topologyOf(store, fleet, pools.pools(space), space), places, names)) return scene;
    const assignment = assignChecks(scene.index.checks.values(), {
      space,
      whereIs: (target) => places.get(target) ?? null,
      edgePorts: { http: edge.httpPort, https: edge.httpsPort },
      isEdgeHost: (host) => hosts.has(host),
    });
    scene.expect(assignment, names, steadyNowMs());
    linked.set(space, assignment);
    probe.set(space, assignment.server);
    judged.set(space, assignment.judged);
    return scene;
  };

  const controller = new EscalationController({
    store,
    lead,
    events,
    executor,
    sceneOf,
    isNetworkUp: watchOwnNetwork(),
    telling: (space, notice) => deliveriesFor(store, space, spaceLadder(store, space)?.tell ?? [], notice),
    clock,
    steadyNowMs,
    random,
    log,
  });
  const queue = new WorkQueue<SpaceName>({ concurrency, work: (space, until) => controller.pass(space, until), clock }, signal);
  const keeper = new PoolKeeper(
    {
      ...{ store, lead, core, pools, events, forgetMember, clock, steadyNowMs, log },
      joins: remote !== null,
      forgetCall: async (space, key) => void (await endTask(tasks, space, key)),
    },
    signal,
  );
  const updatePools = () => {
    pools.update();
    keeper.update();
  };
  const wakeAll = () => {
    hosts.changed();
    updatePools();
    for (const { value } of objects.spaces(store)) queue.wake(value.name);
  };
  const onKey = (key: string) => {
    const [, kind, space] = key.split("/");
    if (kind === "apps") hosts.changed();
    if (kind === "pools" || kind === "pool-sizes") updatePools();
    if (space) queue.wake(space as SpaceName);
  };
  const following = prefixes.map((prefix) => followStore(prefix, onKey, wakeAll, { store, clock, log }, signal));
  const acknowledgements = createAcknowledgements(store, options.apiUrl, steadyNowMs);
  const secretOf = (space: SpaceName, name: string) => {
    const known = secrets.latest(space, name);
    return known === null ? null : secrets.reveal(space, name, known.version);
  };
  const teller = new Teller(
    {
      store,
      lead,
      events,
      resolve: outgoing,
      acknowledgements,
      keyOf: (space) => {
        const secret = secretOf(space, webhookSecret);
        return secret === null ? null : webhookKey(secret);
      },
      secretOf,
      runCommand: async (space, id, run, env, until) => {
        const key = `tell/${id}`;
        const end = await runTask(actions, space, { key, command: { shell: run }, env, timeoutMs: tellTimeoutMs }, until);
        await endTask(actions, space, key);
        return end.result === "ok" ? null : `its command ${end.result}: ${end.output.slice(-500)}`;
      },
      clock,
      steadyNowMs,
      log,
    },
    signal,
  );
  const sweeping = sweepTasks(actions, log, signal);
  wakeAll();

  return {
    controller,
    records,
    nowMs: steadyNowMs,
    once: (space, check, until) =>
      checkOnce({ probe, judged, linked, impossible: sceneOf(space)?.impossible(check.id) ?? null }, space, check, until),
    sceneOf,
    acknowledgements,
    pools,
    poolStanding: (space, pool) => keeper.standingOf(space, pool),
    poolOf: (machine) => {
      const pool = pools.all().find(({ name }) => isOfPool(machine, name));
      if (pool === undefined) return null;
      const { space, name } = pool;
      return { space, name, intent: keeper.standingOf(space, name)?.sights.machines.get(machine) ?? null };
    },
    unmended: (space, target) => [
      ...poolReasons(pools, keeper, space, target),
      ...findUnmended({ sceneOf, controller, nowMs: steadyNowMs }, store, space, target),
    ],
    beat: (space, check) => judged.beat(space, check),
    stopped: (async () => {
      await Promise.all([queue.stopped(), ...following, sweeping]);
      await Promise.all([
        executor.stopped(),
        probe.stopped(),
        judged.stopped(),
        teller.stopped(),
        linked.stopped(),
        pools.stopped(),
        keeper.stopped(),
      ]);
      records.close();
    })(),
  };
}
