import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { leaseStopMs } from "#model/lease.ts";
import { type InstanceId, type MachineId, newInstanceId, type WorkloadId } from "#model/names.ts";
import type { Usage } from "#model/usage.ts";
import type { EngineChange, Exit, Instance, LogLine, LogQuery, Machine, Reason, Workload, WorkloadStatus } from "#model/workload.ts";
import type { Engine } from "../engine.ts";
import { createChangeFeed } from "../local/change-feed.ts";
import { restartDelayMs } from "../local/restart-policy.ts";

/** How one start of a process behaves. */
export interface SimulatedStart {
  /** From the order to the running process. */
  readonly startMs: number;
  /** From running to ready; null: never. */
  readonly readyMs: number | null;
  /** From running to its exit by itself; null: it runs on. */
  readonly exitAfterMs: number | null;
  readonly exitCode: number;
  /** From the stop signal to its end. */
  readonly stopMs: number;
}

/** A process without troubles, which starts at once. */
export const plainStart: SimulatedStart = { startMs: 5, readyMs: 20, exitAfterMs: null, exitCode: 0, stopMs: 5 };

export interface SimulatedEngineOptions {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly random: () => number;
  /** How start number `attempt` (from 0) of an instance goes. Default: `plainStart`; a task exits with 0 after 10 ms. */
  readonly behaviour?: (workload: Workload, attempt: number) => SimulatedStart;
  /** Called when a process ends without having been told to, for checkers. */
  readonly onExit?: (instance: InstanceId) => void;
  /** First port that instances get; each gets the next one. */
  readonly firstPort?: number;
  /** Whether what must never run twice needs a lease here, as on a machine that has joined. Default: no. */
  readonly isLeased?: boolean;
}

/** Like the local engine: how long past its drain time an instance waits to hear that the edges let go. */
const drainMarginMs = 30_000;

/** Why a timer is over. One for all: a reason made at each would be most of the cost of a simulation. */
const replaced = new Error("something else came first");

interface HeldInstance {
  instance: Instance;
  wasReady: boolean;
  /** draining and stopping: whether it starts again after its end. */
  startsAgain: boolean;
  behaviour: SimulatedStart;
  crashes: number;
  timer: AbortController;
}

interface HeldWorkload {
  workload: Workload;
  isRemoved: boolean;
  /** Ends the wait for the end of its lease. */
  lease: AbortController;
  readonly instances: Map<InstanceId, HeldInstance>;
}

/**
 * An engine in memory whose processes exist only as timers on `clock`: for simulations, where the clock is virtual and every fault comes from a
 * seed, and for benches of the control plane. Keeps the same promises as any engine.
 */
export class SimulatedEngine implements Engine {
  readonly name = "simulated";
  readonly #options: SimulatedEngineOptions;
  readonly #workloads = new Map<WorkloadId, HeldWorkload>();
  readonly #removed = new Map<WorkloadId, number>();
  readonly #feed = createChangeFeed(() => this.#snapshot());
  readonly #lines = new Map<InstanceId, LogLine[]>();
  readonly #leaseEndsAtMs = new Map<WorkloadId, number>();
  #port: number;

  constructor(options: SimulatedEngineOptions) {
    this.#options = options;
    this.#port = options.firstPort ?? 20_000;
  }

  /** Every instance that exists now, for checkers. */
  instances(): readonly Instance[] {
    return [...this.#workloads.values()].flatMap((held) => [...held.instances.values()].map(({ instance }) => instance));
  }

  /** What it was told to run and not to remove, for checkers. */
  workloads(): readonly Workload[] {
    return [...this.#workloads.values()].filter((held) => !held.isRemoved).map(({ workload }) => workload);
  }

  /** Nothing happens any more: all timers end. */
  close(): void {
    for (const { lease, instances } of this.#workloads.values())
      for (const timer of [lease, ...[...instances.values()].map((held) => held.timer)]) timer.abort(replaced);
    this.#workloads.clear();
  }

  /** Ends the process of an instance as a crash does. Does nothing if it has none. */
  crash(id: InstanceId, exit: Partial<Exit> = {}): void {
    const [workload, held] = this.#find(id) ?? [];
    if (workload === undefined || held === undefined) return;
    if (held.instance.state === "running" || held.instance.state === "draining")
      this.#exited(workload, held, { code: 1, signal: null, outOfMemory: false, atMs: this.#options.clock.nowMs(), ...exit });
  }

  /** Takes a ready instance's readiness away, or gives it back. */
  setReady(id: InstanceId, ready: boolean): void {
    const [, held] = this.#find(id) ?? [];
    if (held === undefined || held.instance.state !== "running" || held.instance.ready === ready) return;
    held.wasReady ||= ready;
    this.#change(held, { ready, reason: ready ? null : { code: "NOT_READY", message: "its ready probe fails" } });
  }

  async apply(workload: Workload, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const held = this.#workloads.get(workload.id);
    const latest = Math.max(held?.workload.revision ?? 0, this.#removed.get(workload.id) ?? 0);
    if (workload.revision < latest) throw outdated(workload.id, workload.revision, latest);
    this.#removed.delete(workload.id);
    if (held === undefined)
      this.#workloads.set(workload.id, { workload, isRemoved: false, lease: new AbortController(), instances: new Map() });
    else {
      held.workload = workload;
      held.isRemoved = false;
    }
    this.#reconcile(workload.id);
    this.#publishStatus(workload.id);
  }

  async remove(id: WorkloadId, revision: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const held = this.#workloads.get(id);
    const latest = Math.max(held?.workload.revision ?? 0, this.#removed.get(id) ?? 0);
    if (revision < latest) throw outdated(id, revision, latest);
    this.#removed.set(id, revision);
    if (held === undefined) return;
    held.isRemoved = true;
    this.#reconcile(id);
    this.#publishStatus(id);
  }

  order(id: WorkloadId): Workload | null {
    const held = this.#workloads.get(id);
    return held === undefined || held.isRemoved ? null : held.workload;
  }

  drained(id: InstanceId): void {
    const [workload, held] = this.#find(id) ?? [];
    if (workload !== undefined && held?.instance.state === "draining") this.#signal(workload, held, held.startsAgain);
  }

  async renew(workloads: readonly WorkloadId[], endsAtMs: number): Promise<void> {
    const { clock } = this.#options;
    for (const id of workloads) {
      const until = Math.max(endsAtMs, this.#leaseEndsAtMs.get(id) ?? endsAtMs);
      this.#leaseEndsAtMs.set(id, until);
      const held = this.#workloads.get(id);
      if (held === undefined) continue;
      held.lease.abort(replaced);
      const lease = new AbortController();
      held.lease = lease;
      clock.sleep(until - clock.monotonicMs(), lease.signal).then(
        () => this.#reconcile(id),
        () => {}, // Renewed, or closed.
      );
      this.#reconcile(id);
    }
  }

  /** Whether nothing of it may run, for want of a lease. */
  #isLeaseOver({ workload }: HeldWorkload): boolean {
    if (this.#options.isLeased !== true || workload.onlyOne !== true) return false;
    return (this.#leaseEndsAtMs.get(workload.id) ?? 0) <= this.#options.clock.monotonicMs();
  }

  async restart(id: InstanceId, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const [workload, held] = this.#find(id) ?? [];
    if (workload === undefined || held === undefined)
      throw new DroverError("INSTANCE_NOT_FOUND", `there is no instance "${id}"`, { hint: '"drover ps" lists those that run.' });
    if (held.instance.state === "running") this.#end(workload, held, true);
  }

  watch(signal: AbortSignal): AsyncIterable<EngineChange> {
    return this.#feed.read(signal);
  }

  async *logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
    signal.throwIfAborted();
    const all = [...this.#lines].filter(([id]) => (query.instance === null ? id.startsWith(query.prefix) : id === query.instance));
    const lines = all.flatMap(([, of]) => of).filter(({ text }) => query.contains === null || text.includes(query.contains));
    yield* lines.slice(-query.tail);
    if (query.follow) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  async exec(): Promise<never> {
    throw new DroverError("EXEC_FAILED", "simulated processes have no inside", { hint: "Use an engine that runs real ones." });
  }

  async machine(): Promise<Machine> {
    return this.#options.machine;
  }

  /** Simulated processes use nothing, and no machine is theirs. */
  async usage(): Promise<Usage> {
    const running = this.instances().filter(({ pid }) => pid !== null);
    const instances = running.map(({ id }) => ({ id, cpuSeconds: 0, memoryBytes: 0, processes: 1 }));
    return { atMs: this.#options.clock.nowMs(), machine: null, instances };
  }

  #snapshot(): EngineChange {
    return { kind: "snapshot", workloads: [...this.#workloads.values()].map(statusOf), instances: this.instances() };
  }

  #find(id: InstanceId): readonly [HeldWorkload, HeldInstance] | undefined {
    for (const workload of this.#workloads.values()) {
      const held = workload.instances.get(id);
      if (held !== undefined) return [workload, held];
    }
    return undefined;
  }

  #reconcile(id: WorkloadId): void {
    const held = this.#workloads.get(id);
    if (held === undefined) return;
    const { workload, isRemoved, instances } = held;
    const isOver = this.#isLeaseOver(held);
    const wanted = isRemoved || isOver ? 0 : workload.count;
    const staying = [...instances.values()].filter((one) => !isLeaving(one));
    const isTask = workload.kind === "task";
    const surplus = isTask && !isRemoved ? [] : leastUseful(staying).slice(0, Math.max(0, staying.length - wanted));
    for (const one of isOver ? [...instances.values()] : []) if (one.instance.state === "draining") this.#signal(held, one, false);
    for (const one of surplus) this.#end(held, one, false);
    const exists = isTask || (workload.onlyOne === true && instances.size > 0) ? instances.size : staying.length;
    for (let missing = wanted - exists; missing > 0; missing--) this.#create(held);
    if (isRemoved) for (const one of [...instances.values()]) if (one.instance.state === "exited") this.#gone(held, one);
    if (isRemoved && instances.size === 0) {
      this.#workloads.delete(id);
      this.#feed.publish({ kind: "workload-gone", id });
    } else if (!isRemoved) this.#restartNext(held);
  }

  /** One instance at a time is started anew when the restart token changed, one without service before one that serves. */
  #restartNext(held: HeldWorkload): void {
    const staying = [...held.instances.values()].filter((one) => !isLeaving(one));
    const outdated = staying.filter(({ instance }) => instance.state === "running" && instance.restartToken !== held.workload.restartToken);
    const idle = outdated.find(({ instance }) => !instance.ready);
    const next = idle ?? (staying.every(({ instance }) => instance.state === "running" && instance.ready) ? outdated[0] : undefined);
    if (next !== undefined) this.#end(held, next, true);
  }

  #create(held: HeldWorkload): void {
    const { clock, random, machine } = this.#options;
    const { workload } = held;
    let id = newInstanceId(workload.id, random);
    while (held.instances.has(id)) id = newInstanceId(workload.id, random);
    const one: HeldInstance = {
      instance: {
        id,
        workload: workload.id,
        machine: machine.id,
        state: "starting",
        ready: false,
        host: "127.0.0.1",
        port: workload.port === "none" ? null : workload.port === "auto" ? this.#port++ : workload.port,
        pid: null,
        restarts: 0,
        startedAtMs: null,
        sinceMs: clock.nowMs(),
        exit: null,
        reason: null,
        restartToken: workload.restartToken,
      },
      wasReady: false,
      startsAgain: false,
      behaviour: this.#behaviour(workload, 0),
      crashes: 0,
      timer: new AbortController(),
    };
    held.instances.set(id, one);
    this.#change(one, {});
    this.#start(held, one);
  }

  #behaviour(workload: Workload, attempt: number): SimulatedStart {
    const { behaviour } = this.#options;
    if (behaviour !== undefined) return behaviour(workload, attempt);
    return workload.kind === "task" ? { ...plainStart, readyMs: null, exitAfterMs: 10 } : plainStart;
  }

  #start(held: HeldWorkload, one: HeldInstance): void {
    const { clock } = this.#options;
    this.#after(one, one.behaviour.startMs, () => {
      this.#change(one, { state: "running", startedAtMs: clock.nowMs(), pid: 1, reason: null, restartToken: held.workload.restartToken });
      const { readyMs, exitAfterMs, exitCode } = one.behaviour;
      const exits = () => this.#exited(held, one, { code: exitCode, signal: null, outOfMemory: false, atMs: clock.nowMs() });
      if (readyMs === null || (exitAfterMs !== null && exitAfterMs <= readyMs)) {
        if (exitAfterMs !== null) this.#after(one, exitAfterMs, exits);
        return;
      }
      this.#after(one, readyMs, () => {
        one.wasReady = true;
        one.crashes = 0;
        this.#change(one, { ready: true });
        if (exitAfterMs !== null) this.#after(one, exitAfterMs - readyMs, exits);
        this.#reconcile(held.workload.id);
      });
    });
  }

  #exited(held: HeldWorkload, one: HeldInstance, exit: Exit): void {
    const { random, onExit } = this.#options;
    onExit?.(one.instance.id);
    this.#print(one.instance.id, `exit ${exit.code ?? exit.signal}`);
    if (held.workload.kind === "task") {
      this.#change(one, { state: "exited", ready: false, pid: null, exit });
    } else if (one.instance.state === "draining" && !one.startsAgain) {
      this.#gone(held, one);
    } else {
      one.crashes++;
      const reason: Reason = { code: "CRASHED", message: `it exited with ${exit.code}` };
      this.#change(one, { state: "backoff", ready: false, pid: null, exit, reason });
      this.#after(one, restartDelayMs(one.crashes, random()), () => this.#startAgain(held, one));
      this.#reconcile(held.workload.id);
    }
  }

  #startAgain(held: HeldWorkload, one: HeldInstance): void {
    if (this.#isLeaseOver(held)) {
      this.#gone(held, one);
      return;
    }
    one.behaviour = this.#behaviour(held.workload, one.instance.restarts + 1);
    one.wasReady = false;
    this.#change(one, { state: "starting", ready: false, restarts: one.instance.restarts + 1 });
    this.#start(held, one);
  }

  #end(held: HeldWorkload, one: HeldInstance, startsAgain: boolean): void {
    one.startsAgain = startsAgain;
    const { state } = one.instance;
    if (state === "exited" || state === "backoff") {
      if (startsAgain) this.#startAgain(held, one);
      else this.#gone(held, one);
    } else if (state === "running" && held.workload.routed && one.wasReady && !this.#isLeaseOver(held)) {
      this.#change(one, { state: "draining" });
      this.#after(one, held.workload.stop.drainMs + drainMarginMs, () => this.#signal(held, one, startsAgain));
    } else if (state !== "draining" && state !== "stopping") this.#signal(held, one, startsAgain);
  }

  #signal(held: HeldWorkload, one: HeldInstance, startsAgain: boolean): void {
    this.#change(one, { state: "stopping", ready: false });
    const longestMs = this.#isLeaseOver(held) ? Math.min(leaseStopMs, held.workload.stop.graceMs) : held.workload.stop.graceMs;
    this.#after(one, Math.min(one.behaviour.stopMs, longestMs), () => {
      if (startsAgain && !held.isRemoved) this.#startAgain(held, one);
      else this.#gone(held, one);
    });
  }

  #gone(held: HeldWorkload, one: HeldInstance): void {
    one.timer.abort(replaced);
    held.instances.delete(one.instance.id);
    this.#lines.delete(one.instance.id);
    this.#feed.publish({ kind: "instance-gone", id: one.instance.id });
    this.#reconcile(held.workload.id);
  }

  #change(one: HeldInstance, next: Partial<Instance>): void {
    one.instance = { ...one.instance, ...next, sinceMs: this.#options.clock.nowMs() };
    this.#feed.publish({ kind: "instance", instance: one.instance });
  }

  #publishStatus(id: WorkloadId): void {
    const held = this.#workloads.get(id);
    if (held !== undefined) this.#feed.publish({ kind: "workload", workload: statusOf(held) });
  }

  /** Replaces whatever the instance waited for. */
  #after(one: HeldInstance, ms: number, then: () => void): void {
    one.timer.abort(replaced);
    const timer = new AbortController();
    one.timer = timer;
    this.#options.clock.sleep(ms, timer.signal).then(
      () => one.timer === timer && then(),
      () => {}, // Aborted because something else came first.
    );
  }

  #print(instance: InstanceId, text: string): void {
    const lines = this.#lines.get(instance) ?? [];
    this.#lines.set(instance, lines);
    lines.push({ instance, atMs: this.#options.clock.nowMs(), sequence: (lines.at(-1)?.sequence ?? 0) + 1, text, source: "app" });
    if (lines.length > 100) lines.shift();
  }
}

/** A machine that is larger than any simulation needs, for those to whom its size does not matter. */
export function simulatedMachine(id = "m1"): Machine {
  const holds = { holds: false, how: "nothing real runs here" };
  return {
    id: id as MachineId,
    hostName: id,
    cores: 1_000_000,
    memoryBytes: Number.MAX_SAFE_INTEGER,
    isolation: { uid: holds, privileges: holds, cpu: holds, memory: holds, pids: holds, "group-kill": holds },
  };
}

function statusOf({ workload, isRemoved }: HeldWorkload): WorkloadStatus {
  const { id, revision, kind, count, onlyOne } = workload;
  return { id, revision, kind, count: isRemoved ? 0 : count, reason: null, ...(onlyOne === true ? { onlyOne } : {}) };
}

function isLeaving({ instance, startsAgain }: HeldInstance): boolean {
  return instance.state === "exited" || ((instance.state === "draining" || instance.state === "stopping") && !startsAgain);
}

function leastUseful(instances: readonly HeldInstance[]): readonly HeldInstance[] {
  const use = ({ instance }: HeldInstance) =>
    instance.state === "backoff" ? 0 : instance.state === "starting" ? 1 : instance.ready && instance.state === "running" ? 3 : 2;
  return instances
    .map((one, age) => ({ one, age }))
    .sort((a, b) => use(a.one) - use(b.one) || b.age - a.age)
    .map(({ one }) => one);
}

function outdated(id: WorkloadId, revision: number, latest: number): DroverError {
  return new DroverError("ORDER_OUTDATED", `the order for "${id}" at revision ${revision} is older than the one at ${latest}`, {
    hint: "Another server gave a newer order; this one should stop.",
    details: { revision: latest },
  });
}
