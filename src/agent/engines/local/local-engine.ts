import { chmod, copyFile, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { ExecRequest, TerminalSize } from "#model/exec.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type Digest, type InstanceId, type MachineId, newInstanceId, parseWorkloadId, type WorkloadId } from "#model/names.ts";
import type { EngineChange, LogLine, LogQuery, Machine, Reason, StopRules, Workload, WorkloadStatus } from "#model/workload.ts";
import type { Engine, ExecSession } from "../engine.ts";
import { type Cgroups, openCgroups } from "./cgroups.ts";
import { type ChangeFeed, createChangeFeed } from "./change-feed.ts";
import { type HeldInstance, newHeldInstance, toInstance } from "./held-instance.ts";
import { createInstanceLife, type InstanceLife } from "./instance-life.ts";
import { type Keeper, startKeeper, stopKeeper } from "./keeper-control.ts";
import { describeMachine } from "./machine.ts";
import { type Order, type Orders, openOrders } from "./orders.ts";
import type { OutputStore } from "./output.ts";
import { createPipeFollower } from "./pipe-follower.ts";
import { type DesiredWorkload, type InstanceAction, killAgainMs, planInstances } from "./plan-instances.ts";
import { createPorts, type Ports } from "./ports.ts";
import { readBootId } from "./proc.ts";
import { type InstanceRecord, openRecords, type Records } from "./records.ts";
import { openSeal } from "./seal.ts";
import type { Machinery } from "./start-instance.ts";
import { droverSpace, makeSurroundings } from "./surroundings.ts";
import { sweepStrays } from "./sweep.ts";
import { openUsers, type Users } from "./users.ts";

/** A command and where it runs, as an instance would: in its folder, with its environment, as its user and within its limits. */
export interface ExecSurroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Null: those of the user that runs Drover. */
  readonly uid: number | null;
  readonly gid: number | null;
  /** Puts a process under the instance's limits, before its first instruction. */
  readonly join: (pid: number) => Promise<void>;
  /** Empty: a shell. */
  readonly command: readonly string[];
  readonly terminal: TerminalSize | null;
}

export interface LocalEngineOptions {
  /** What the agent keeps: orders, instances, volumes. */
  readonly folder: string;
  /** Tells this Drover's groups from those of others on the machine. */
  readonly key: string;
  readonly machine: MachineId;
  /** Drover's own programs: not orders of any server, and not on disk. */
  readonly own: readonly Workload[];
  readonly output: OutputStore;
  /** The unpacked artifact, or null if it is not here. */
  readonly artifactFolder: (digest: Digest) => Promise<string | null>;
  readonly openExec: (surroundings: ExecSurroundings, signal: AbortSignal) => Promise<ExecSession>;
  /** Whether it is opened only for `stopAll`: it takes over what runs, and starts nothing. */
  readonly onlyToStop?: boolean;
  /** $PATH of instances. */
  readonly path: string;
  readonly isRoot: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** How an instance is stopped whose order is not known any more. */
const lostStop: StopRules = { signal: "SIGTERM", drainMs: 0, graceMs: 10_000 };
/** How often a workload whose artifact was not here is looked at again, besides when one arrives. */
const blockedAgainMs = 2_000;

/** A workload as the engine holds it: its order, or what is left of one that was removed. */
interface HeldWorkload {
  readonly id: WorkloadId;
  revision: number;
  /** The latest order; null for one that was removed before this agent started. */
  order: Workload | null;
  removed: boolean;
  stop: StopRules;
  /** Why it cannot be started; null when it can. */
  reason: Reason | null;
  /** By age. */
  readonly instances: Map<InstanceId, HeldInstance>;
  /** Ends the wait for the next time at which its plan changes. */
  timer: AbortController | null;
}

export class LocalEngine implements Engine {
  readonly name = "local";
  readonly #options: LocalEngineOptions;
  readonly #orders: Orders;
  readonly #records: Records;
  readonly #ports: Ports;
  readonly #machine: Machine;
  readonly #machinery: Machinery;
  readonly #life: InstanceLife;
  readonly #feed: ChangeFeed;
  readonly #workloads = new Map<WorkloadId, HeldWorkload>();
  readonly #dirty = new Set<WorkloadId>();
  readonly #closing = new AbortController();
  readonly #pipes: Machinery["pipes"];
  readonly #background = new Set<Promise<void>>();
  #keeper: Keeper | null = null;
  readonly #waiting = new Set<AbortController>();
  /** Nothing is started or stopped by plan any more. */
  #isFrozen: boolean;

  private constructor(options: LocalEngineOptions, parts: EngineParts) {
    this.#options = options;
    this.#isFrozen = options.onlyToStop ?? false;
    this.#orders = parts.orders;
    this.#records = parts.machinery.records;
    this.#ports = parts.machinery.ports;
    this.#machinery = parts.machinery;
    this.#pipes = parts.machinery.pipes;
    this.#machine = parts.machine;
    this.#feed = createChangeFeed(() => this.#snapshot());
    this.#life = createInstanceLife({
      machinery: parts.machinery,
      output: options.output,
      clock: options.clock,
      random: options.random,
      log: options.log,
      changed: (held) => this.#changed(held),
      signal: this.#closing.signal,
    });
  }

  /** Opens what is on disk, takes over what runs, starts what should, and ends what should not. */
  static async open(options: LocalEngineOptions, signal: AbortSignal): Promise<LocalEngine> {
    const engine = new LocalEngine(options, await openParts(options));
    const keeperNote = join(options.folder, "keeper.json");
    const { bootId } = engine.#machinery;
    await stopKeeper(keeperNote, bootId, options.clock, signal);
    await engine.#recover(signal);
    engine.#keeper = await startKeeper(engine.#records.root, keeperNote, bootId);
    return engine;
  }

  async apply(workload: Workload, _signal: AbortSignal): Promise<void> {
    if (parseWorkloadId(workload.id).space === droverSpace) {
      throw new DroverError("FORBIDDEN", `the space "${droverSpace}" is Drover's own`, { hint: "Choose another name for the space." });
    }
    const known = this.#workloads.get(workload.id);
    if (known !== undefined && workload.revision < known.revision) throw outdated(workload.id, workload.revision, known.revision);
    // Two orders that arrive together are obeyed in the order of their revisions, whichever is written first.
    if (known !== undefined) known.revision = workload.revision;
    await this.#orders.save({ kind: "run", workload });
    const current = this.#workloads.get(workload.id);
    if (current !== undefined && current.revision > workload.revision) return;
    this.#hold(workload);
  }

  async remove(id: WorkloadId, revision: number, _signal: AbortSignal): Promise<void> {
    const known = this.#workloads.get(id);
    if (known === undefined) return;
    if (revision < known.revision) throw outdated(id, revision, known.revision);
    known.revision = revision;
    await this.#orders.save({ kind: "removed", id, revision, stop: known.stop, atMs: this.#options.clock.nowMs() });
    if (known.revision > revision) return;
    known.removed = true;
    this.#wake(id);
  }

  drained(id: InstanceId): void {
    const held = this.#find(id);
    if (held === null || held.state !== "draining") return;
    held.drained = true;
    this.#wake(held.workload);
  }

  async restart(id: InstanceId, _signal: AbortSignal): Promise<void> {
    const held = this.#find(id);
    if (held === null) throw instanceNotFound(id);
    held.restartAsked = true;
    this.#wake(held.workload);
  }

  watch(signal: AbortSignal): AsyncIterable<EngineChange> {
    return this.#feed.read(AbortSignal.any([signal, this.#closing.signal]));
  }

  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine> {
    return this.#options.output.query(query, signal);
  }

  async machine(_signal: AbortSignal): Promise<Machine> {
    return this.#machine;
  }

  async exec(request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    const { where } = request;
    const held = where.kind === "instance" ? this.#find(where.instance) : null;
    const workload =
      where.kind === "workload" ? where.workload : held === null ? null : (this.#workloads.get(held.workload)?.order ?? null);
    if (workload === null || (where.kind === "instance" && held?.run == null))
      throw instanceNotFound(where.kind === "instance" ? where.instance : "");
    const id = held?.id ?? newInstanceId(workload.id, this.#options.random);
    const { cwd, env, uid } = await makeSurroundings(
      this.#machinery.surroundings,
      workload,
      id,
      held?.port ?? null,
      this.#records.folders(id),
    );
    const { command, terminal } = request;
    const join = async (pid: number) => held?.run?.cgroup?.add(pid);
    const session = await this.#options.openExec({ cwd, env, uid, gid: uid, join, command, terminal }, signal);
    if (held === null) this.#goOn("folders of a command not removed", () => session.exit.then(() => this.#records.discard(id)));
    return session;
  }

  /** An artifact has arrived, or went: workloads that wait for one are planned again. */
  artifactsChanged(): void {
    for (const workload of this.#workloads.values()) if (workload.reason !== null) this.#wake(workload.id);
  }

  /** For builds, which are held like instances. */
  get cgroups(): Cgroups {
    return this.#machinery.cgroups;
  }

  /** Whether an order names this artifact. */
  usesArtifact(digest: Digest): boolean {
    return [...this.#workloads.values()].some(
      ({ order, removed, instances }) => order?.artifact === digest && (!removed || instances.size > 0),
    );
  }

  /** Whether an order or an instance of this app is here. What is kept of a removed workload is neither. */
  holds(app: AppId): boolean {
    return [...this.#workloads.values()].some(({ id, removed, instances }) => id.startsWith(`${app}/`) && (!removed || instances.size > 0));
  }

  /** Holds the volumes of all apps. */
  get volumesFolder(): string {
    return this.#machinery.surroundings.volumesFolder;
  }

  /**
   * Stops all instances of these workloads, whatever the orders say, and kills what is left after `graceMs` or as soon as `now` aborts. Resolves
   * when nothing of them is left. Nothing is started any more. Orders stay: the next engine on this folder brings everything back.
   */
  async stopAll(which: (workload: WorkloadId) => boolean, graceMs: number, now: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#isFrozen = true;
    const killAtMs = clock.monotonicMs() + graceMs;
    for (;;) {
      const left = this.running().filter((held) => which(held.workload));
      if (left.length === 0) return;
      const isLate = now.aborted || clock.monotonicMs() >= killAtMs;
      for (const held of left) {
        const reason = { code: "STOPPING", message: "Drover is being stopped" };
        const name = this.#workloads.get(held.workload)?.stop.signal ?? lostStop.signal;
        if (held.state === "running" || held.state === "draining") this.#life.stop(held, "stop", name, reason);
        if (isLate && (held.killedAtMs === null || clock.monotonicMs() - held.killedAtMs >= killAgainMs)) this.#life.kill(held);
      }
      await this.#nextChange(isLate ? killAgainMs : killAtMs - clock.monotonicMs(), isLate ? null : now);
    }
  }

  /** Resolves at the next change of any instance, after `ms`, or when `now` aborts. */
  async #nextChange(ms: number, now: AbortSignal | null): Promise<void> {
    const changed = new AbortController();
    this.#waiting.add(changed);
    const signals = [changed.signal, this.#closing.signal, ...(now === null ? [] : [now])];
    await this.#options.clock.sleep(ms, AbortSignal.any(signals)).catch(() => {});
    this.#waiting.delete(changed);
  }

  /** All instances that have a process, or are about to. */
  running(): readonly HeldInstance[] {
    return [...this.#workloads.values()].flatMap(({ instances }) =>
      [...instances.values()].filter(({ run, state }) => run !== null || state === "starting"),
    );
  }

  /** Lets go of everything. What runs lives on; another agent can take it over. */
  async close(): Promise<void> {
    this.#isFrozen = true;
    this.#closing.abort(new Error("the engine was closed"));
    const left = this.running();
    for (const { run } of left) run?.process.detach();
    if (left.length === 0) this.#keeper?.dismiss();
    else this.#keeper?.abandon();
    await this.#life.settle();
    await Promise.all(
      [...this.#workloads.values()].flatMap(({ instances }) => [...instances.values()].map((held) => this.#life.letGo(held))),
    );
    await Promise.all(this.#background);
    await this.#pipes.close();
    if (left.length === 0) await this.#machinery.cgroups.removeEmpty();
  }

  async #recover(signal: AbortSignal): Promise<void> {
    const { clock, log, own } = this.#options;
    const records = await this.#records.load();
    for (const order of await this.#orders.load()) this.#load(order);
    for (const workload of own) this.#holdQuietly(workload);
    await sweepStrays(
      { root: this.#records.root, kept: new Set(records.map(({ id }) => id)), cgroups: this.#machinery.cgroups, clock, log },
      signal,
    );
    await Promise.all(records.map((record) => this.#take(record)));
    for (const id of this.#workloads.keys()) this.#wake(id);
  }

  #load(order: Order): void {
    if (order.kind === "run") this.#holdQuietly(order.workload);
    else this.#loadRemoved(order);
  }

  #loadRemoved({ id, revision, stop }: Pick<Extract<Order, { kind: "removed" }>, "id" | "revision" | "stop">): void {
    this.#workloads.set(id, { id, revision, order: null, removed: true, stop, reason: null, instances: new Map(), timer: null });
  }

  async #take(record: InstanceRecord): Promise<void> {
    const { clock } = this.#options;
    let workload = this.#workloads.get(record.workload);
    if (workload === undefined) {
      this.#loadRemoved({ id: record.workload, revision: 0, stop: lostStop });
      workload = this.#workloads.get(record.workload);
    }
    const { id, restartToken, createdAtMs } = record;
    const held: HeldInstance = {
      ...newHeldInstance({ id, workload: record.workload, restartToken, nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }),
      createdAtMs,
      port: record.port,
      restarts: record.restarts,
      crashes: record.crashes,
      startedAtMs: record.startedAtMs,
      exit: record.exit,
      identity: record.run,
      ready: record.ready,
      memoryKills: record.memoryKills,
      done: record.done,
    };
    if (held.port !== null) this.#ports.restore(id, held.port);
    workload?.instances.set(id, held);
    await this.#life.adopt(held, workload?.order ?? placeholder(record.workload));
  }

  #hold(workload: Workload): void {
    this.#holdQuietly(workload);
    this.#wake(workload.id);
  }

  #holdQuietly(workload: Workload): void {
    const { id, revision, stop } = workload;
    const held = this.#workloads.get(id);
    if (held === undefined) {
      this.#workloads.set(id, { id, revision, order: workload, removed: false, stop, reason: null, instances: new Map(), timer: null });
    } else {
      Object.assign(held, { revision, order: workload, removed: false, stop });
    }
    this.#publishWorkload(id);
  }

  #find(id: InstanceId): HeldInstance | null {
    for (const { instances } of this.#workloads.values()) {
      const held = instances.get(id);
      if (held !== undefined) return held;
    }
    return null;
  }

  #changed(held: HeldInstance): void {
    for (const waiting of this.#waiting) waiting.abort();
    if (!this.#workloads.get(held.workload)?.instances.has(held.id)) return;
    this.#feed.publish({ kind: "instance", instance: toInstance(held, this.#options.machine) });
    this.#wake(held.workload);
  }

  /** Has the workload planned once this turn is over, however often it is woken until then. */
  #wake(id: WorkloadId): void {
    if (this.#dirty.size === 0) {
      queueMicrotask(() => {
        const ids = [...this.#dirty];
        this.#dirty.clear();
        for (const dirty of ids) this.#goOn("workload not planned", () => this.#plan(dirty));
      });
    }
    this.#dirty.add(id);
  }

  async #plan(id: WorkloadId): Promise<void> {
    const workload = this.#workloads.get(id);
    if (workload === undefined || this.#isFrozen) return;
    await this.#findObstacle(workload);
    if (this.#isFrozen || this.#workloads.get(id) !== workload) return;
    const nowMs = this.#options.clock.monotonicMs();
    const plan = planInstances(toDesired(workload), [...workload.instances.values()], nowMs);
    for (const action of plan.actions) this.#act(workload, action);
    const again = [plan.replanAtMs, workload.reason === null ? null : nowMs + blockedAgainMs].filter((at) => at !== null);
    this.#planAgainAt(workload, again.length === 0 ? null : Math.min(...again));
  }

  #planAgainAt(workload: HeldWorkload, atMs: number | null): void {
    const { clock } = this.#options;
    workload.timer?.abort();
    workload.timer = null;
    if (atMs === null) return;
    const timer = new AbortController();
    workload.timer = timer;
    const waitMs = Math.max(0, atMs - clock.monotonicMs());
    clock.sleep(waitMs, AbortSignal.any([timer.signal, this.#closing.signal])).then(
      () => this.#wake(workload.id),
      // Replaced by a later plan's wait, or closed.
      () => {},
    );
  }

  /** The only obstacle so far: an artifact that is not on this machine. */
  async #findObstacle(workload: HeldWorkload): Promise<void> {
    const digest = workload.order?.artifact ?? null;
    const missing = digest !== null && (await this.#options.artifactFolder(digest)) === null;
    const reason = missing ? { code: "ARTIFACT_MISSING", message: `the artifact ${digest} is not on this machine yet` } : null;
    if (reason?.message === workload.reason?.message) return;
    workload.reason = reason;
    this.#publishWorkload(workload.id);
  }

  #act(workload: HeldWorkload, action: InstanceAction): void {
    const { clock, log } = this.#options;
    const held = "id" in action ? workload.instances.get(action.id) : undefined;
    switch (action.kind) {
      case "create": {
        if (workload.order === null) return;
        const id = this.#newId(workload);
        const { restartToken } = workload.order;
        const made = newHeldInstance({ id, workload: workload.id, restartToken, nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
        workload.instances.set(id, made);
        this.#life.start(made, workload.order);
        return;
      }
      case "start":
        if (held !== undefined && workload.order !== null) this.#life.start(held, workload.order);
        return;
      case "drain":
        log.info("instance drains", { instance: action.id, reason: action.reason });
        if (held !== undefined) this.#life.drain(held, action.afterwards);
        return;
      case "signal": {
        log.info("instance stops", { instance: action.id, reason: action.reason });
        const code = action.reason === "timed out" ? "TIMED_OUT" : "STOPPING";
        const message =
          action.reason === "timed out" ? `ran longer than its ${workload.order?.timeoutMs ?? 0} ms` : `is being stopped: ${action.reason}`;
        if (held !== undefined) this.#life.stop(held, action.afterwards, workload.stop.signal, { code, message });
        return;
      }
      case "kill":
        log.info("instance killed", { instance: action.id, reason: action.reason });
        if (held !== undefined) this.#life.kill(held);
        return;
      case "forget":
        if (held === undefined) return;
        workload.instances.delete(held.id);
        this.#feed.publish({ kind: "instance-gone", id: held.id });
        this.#wake(workload.id);
        this.#goOn("instance not removed", () => this.#life.forget(held));
        return;
      case "forget-workload":
        this.#forgetWorkload(workload);
        return;
      default:
        action satisfies never;
    }
  }

  /** Its order stays on disk as a removal for a while, so that a late order does not bring it back. */
  #forgetWorkload(workload: HeldWorkload): void {
    if (workload.order !== null) this.#feed.publish({ kind: "workload-gone", id: workload.id });
    workload.order = null;
    this.#planAgainAt(workload, null);
  }

  #newId(workload: HeldWorkload): InstanceId {
    for (;;) {
      const id = newInstanceId(workload.id, this.#options.random);
      if (!workload.instances.has(id)) return id;
    }
  }

  #publishWorkload(id: WorkloadId): void {
    const held = this.#workloads.get(id);
    if (held?.order) this.#feed.publish({ kind: "workload", workload: toStatus(held, held.order) });
  }

  #snapshot(): EngineChange {
    const workloads = [...this.#workloads.values()];
    return {
      kind: "snapshot",
      workloads: workloads.flatMap((held) => (held.order === null ? [] : [toStatus(held, held.order)])),
      instances: workloads.flatMap(({ instances }) => [...instances.values()].map((held) => toInstance(held, this.#options.machine))),
    };
  }

  #goOn(what: string, task: () => Promise<void>): void {
    const done = task()
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.log.error(what, errorFields(error));
      })
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}

interface EngineParts {
  readonly orders: Orders;
  readonly machine: Machine;
  readonly machinery: Machinery;
}

async function openParts(options: LocalEngineOptions): Promise<EngineParts> {
  const { folder, key, machine, output, artifactFolder, path, isRoot, clock, random, log } = options;
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const [bootId, script, seal, users, cgroups] = await Promise.all([
    readBootId(),
    placeScript(folder),
    openSeal(join(folder, "order.key")),
    openUsers(join(folder, "users.json"), folder, isRoot),
    openCgroups(key, log),
  ]);
  const orders = openOrders(join(folder, "orders"), seal, clock.nowMs, log);
  const surroundings = { users, volumesFolder: join(folder, "volumes"), path, artifactFolder };
  return {
    orders,
    machine: describeMachine(machine, users satisfies Users, cgroups.support),
    machinery: {
      bootId,
      script,
      surroundings,
      records: openRecords(join(folder, "instances"), log),
      ports: createPorts(random),
      cgroups,
      pipes: createPipeFollower(output, clock, log),
      output,
      clock,
    },
  };
}

/** Apps' users may not be able to read the folder that Drover is installed in; this one they can. */
async function placeScript(folder: string): Promise<string> {
  const script = join(folder, "shim.sh");
  await copyFile(join(import.meta.dirname, "shim.sh"), `${script}.new`);
  await chmod(`${script}.new`, 0o644);
  await rename(`${script}.new`, script);
  return script;
}

function toDesired({ id, order, removed, stop, reason }: HeldWorkload): DesiredWorkload {
  return {
    id,
    kind: order?.kind ?? "service",
    count: order?.count ?? 0,
    routed: order?.routed ?? false,
    restartToken: order?.restartToken ?? "",
    stop,
    timeoutMs: order?.timeoutMs ?? null,
    blocked: reason !== null,
    removed: removed || order === null,
  };
}

function toStatus(held: HeldWorkload, { id, kind, count }: Workload): WorkloadStatus {
  return { id, revision: held.revision, kind, count: held.removed ? 0 : count, reason: held.reason };
}

/** Stands for the order of an instance that nothing is known of but that it has to go. */
function placeholder(id: WorkloadId): Workload {
  return {
    id,
    revision: 0,
    kind: "service",
    count: 0,
    command: { argv: [] },
    artifact: null,
    env: {},
    secrets: {},
    port: "none",
    ready: null,
    alive: null,
    resources: { cpu: null, memoryBytes: null, pids: 512 },
    stop: lostStop,
    routed: false,
    volumes: [],
    restartToken: "",
    timeoutMs: null,
  };
}

function outdated(id: WorkloadId, revision: number, known: number): DroverError {
  return new DroverError("ORDER_OUTDATED", `the order for "${id}" at revision ${revision} is older than the one at ${known}`, {
    hint: "Read the current state and decide again.",
    details: { revision: known },
  });
}

function instanceNotFound(id: string): DroverError {
  return new DroverError("INSTANCE_NOT_FOUND", `there is no running instance "${id}" on this machine`, {
    hint: "List the instances with `drover ps`.",
  });
}
