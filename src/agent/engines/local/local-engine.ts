import { join } from "node:path";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { ExecRequest } from "#model/exec.ts";
import type { Log } from "#model/log.ts";
import { type AppId, type Digest, type InstanceId, type MachineId, newInstanceId, parseWorkloadId, type WorkloadId } from "#model/names.ts";
import type { Usage } from "#model/usage.ts";
import type { EngineChange, LogLine, LogQuery, Machine, Reason, Workload } from "#model/workload.ts";
import { type Background, createBackground } from "../../background.ts";
import type { ExecSurroundings } from "../../exec/surroundings.ts";
import type { Engine, ExecSession } from "../engine.ts";
import type { Cgroups } from "./cgroups.ts";
import { type ChangeFeed, createChangeFeed } from "./change-feed.ts";
import { type EngineParts, openParts } from "./engine-parts.ts";
import { type HeldInstance, newHeldInstance, toInstance } from "./held-instance.ts";
import { type HeldWorkload, lostStop, newHeldWorkload, placeholder, removedWorkload, toStatus } from "./held-workload.ts";
import { createInstanceLife, type InstanceLife } from "./instance-life.ts";
import { InstanceMeter } from "./instance-usage.ts";
import { type Keeper, startKeeper, stopKeeper } from "./keeper-control.ts";
import { leasesFile } from "./leases.ts";
import { measureMachine } from "./machine-usage.ts";
import type { Order, Orders } from "./orders.ts";
import type { OutputStore } from "./output.ts";
import { killAgainMs } from "./plan-instances.ts";
import type { Ports } from "./ports.ts";
import type { InstanceRecord, Records } from "./records.ts";
import type { Machinery } from "./start-instance.ts";
import { type StatsdPorts, statsdOwner } from "./statsd-port.ts";
import { droverSpace, makeSurroundings } from "./surroundings.ts";
import { sweepStrays } from "./sweep.ts";
import { WorkloadPlans } from "./workload-plans.ts";

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
  /** $HOST of instances that other machines may reach; null: nobody tells them where to listen. Default: null. */
  readonly listenHost?: () => string | null;
  readonly isRoot: boolean;
  /** Left out: figures by statsd are not read. */
  readonly statsd?: StatsdPorts;
  readonly clock: Clock;
  /** Milliseconds since the machine's boot, where what must never run twice needs a lease; null: here it does not. */
  readonly sinceBootMs: (() => number) | null;
  readonly random: () => number;
  readonly log: Log;
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
  readonly #closing = new AbortController();
  readonly #pipes: Machinery["pipes"];
  readonly #background: Background;
  readonly #plans: WorkloadPlans;
  readonly #meter = new InstanceMeter();
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
    this.#background = createBackground(options.log, this.#closing.signal);
    this.#life = createInstanceLife({
      machinery: parts.machinery,
      output: options.output,
      clock: options.clock,
      random: options.random,
      log: options.log,
      changed: (held) => this.#changed(held),
      signal: this.#closing.signal,
    });
    this.#plans = new WorkloadPlans({
      workloads: this.#workloads,
      life: this.#life,
      feed: this.#feed,
      leases: parts.machinery.leases,
      background: this.#background,
      artifactFolder: options.artifactFolder,
      clock: options.clock,
      random: options.random,
      log: options.log,
      isFrozen: () => this.#isFrozen,
      closing: this.#closing.signal,
    });
  }

  /** Opens what is on disk, takes over what runs, starts what should, and ends what should not. */
  static async open(options: LocalEngineOptions, signal: AbortSignal): Promise<LocalEngine> {
    const engine = new LocalEngine(options, await openParts(options));
    const keeperNote = join(options.folder, "keeper.json");
    const { bootId } = engine.#machinery;
    await stopKeeper(keeperNote, bootId, options.clock, signal);
    await engine.#recover(signal);
    engine.#keeper = await startKeeper(engine.#records.root, leasesFile(options.folder), keeperNote, bootId, options.log);
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
    this.#plans.wake(id);
  }

  order(id: WorkloadId): Workload | null {
    const held = this.#workloads.get(id);
    return held === undefined || held.removed ? null : held.order;
  }

  drained(id: InstanceId): void {
    const held = this.#find(id);
    if (held === null || held.state !== "draining") return;
    held.drained = true;
    this.#plans.wake(held.workload);
  }

  async renew(workloads: readonly WorkloadId[], endsAtMs: number): Promise<void> {
    await this.#machinery.leases.renew(workloads, endsAtMs);
    // What had a lease finds its new end when the old one comes.
    for (const id of workloads) if (this.#workloads.get(id)?.reason !== null) this.#plans.wake(id);
  }

  async restart(id: InstanceId, _signal: AbortSignal): Promise<void> {
    const held = this.#find(id);
    if (held === null) throw instanceNotFound(id);
    held.restartAsked = true;
    this.#plans.wake(held.workload);
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

  async usage(_signal: AbortSignal): Promise<Usage> {
    const [machine, instances] = await Promise.all([measureMachine(this.#records.root), this.#meter.measure(this.running())]);
    return { atMs: this.#options.clock.nowMs(), machine, instances };
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
      { id, port: held?.port ?? null, statsdPort: held?.statsdPort ?? null },
      this.#records.folders(id),
    );
    const { command, terminal } = request;
    const join = async (pid: number) => held?.run?.cgroup?.add(pid);
    const session = await this.#options.openExec({ cwd, env, uid, gid: uid, join, command, terminal }, signal);
    if (held === null) this.#background.goOn("folders of a command not removed", () => session.exit.then(() => this.#records.discard(id)));
    return session;
  }

  /** An artifact has arrived, or went: workloads that wait for one are planned again. */
  artifactsChanged(): void {
    for (const workload of this.#workloads.values()) if (workload.reason !== null) this.#plans.wake(workload.id);
  }

  /** For builds, which are held like instances. */
  /** The user that an app's instances run as; null: our own. */
  userOf(app: AppId): Promise<number | null> {
    return this.#machinery.surroundings.users.uidOf(app);
  }

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
        const reason: Reason = { code: "STOPPING", message: "Drover is being stopped" };
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
    await pause(this.#options.clock, ms, AbortSignal.any(signals));
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
    await this.#background.settle();
    await this.#pipes.close();
    await this.#machinery.sparePipes.settle();
    await this.#machinery.statsd?.closeAll();
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
    for (const id of this.#workloads.keys()) this.#plans.wake(id);
  }

  #load(order: Order): void {
    if (order.kind === "run") this.#holdQuietly(order.workload);
    else this.#workloads.set(order.id, removedWorkload(order));
  }

  async #take(record: InstanceRecord): Promise<void> {
    const { clock } = this.#options;
    let workload = this.#workloads.get(record.workload);
    if (workload === undefined) {
      workload = removedWorkload({ id: record.workload, revision: 0, stop: lostStop });
      this.#workloads.set(record.workload, workload);
    }
    const { id, restartToken, createdAtMs } = record;
    const held: HeldInstance = {
      ...newHeldInstance({ id, workload: record.workload, restartToken, nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }),
      createdAtMs,
      port: record.port,
      statsdPort: record.statsdPort ?? null,
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
    if (held.statsdPort !== null) this.#ports.restore(statsdOwner(id), held.statsdPort);
    workload.instances.set(id, held);
    await this.#life.adopt(held, workload.order ?? placeholder(record.workload));
  }

  #hold(workload: Workload): void {
    this.#holdQuietly(workload);
    this.#plans.wake(workload.id);
  }

  #holdQuietly(workload: Workload): void {
    const { id, revision, stop } = workload;
    const held = this.#workloads.get(id);
    if (held === undefined) this.#workloads.set(id, newHeldWorkload(workload));
    else Object.assign(held, { revision, order: workload, removed: false, stop });
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
    this.#plans.wake(held.workload);
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
