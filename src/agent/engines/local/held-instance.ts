import type { InstanceId, MachineId, WorkloadId } from "#model/names.ts";
import type { Exit, Instance, InstanceState, Reason, Workload } from "#model/workload.ts";
import type { Cgroup } from "./cgroups.ts";
import type { Afterwards, ObservedInstance } from "./plan-instances.ts";
import type { ProcessGroup } from "./process-group.ts";
import type { InstanceRecord } from "./records.ts";
import type { InstanceProcess } from "./shim.ts";

/** One run of an instance: from its start to the end of its last process. */
export interface Run {
  /** The order that it was started by. */
  readonly workload: Workload;
  readonly process: InstanceProcess;
  readonly group: ProcessGroup;
  readonly cgroup: Cgroup | null;
  /** Ends its probes. */
  readonly stop: AbortController;
}

/** An instance as the engine holds it. The engine alone changes it. */
export interface HeldInstance extends ObservedInstance {
  readonly id: InstanceId;
  readonly workload: WorkloadId;
  readonly createdAtMs: number;
  state: InstanceState;
  ready: boolean;
  wasReady: boolean;
  enteredAtMs: number;
  restartToken: string;
  afterwards: Afterwards;
  drained: boolean;
  killedAtMs: number | null;
  retryAtMs: number;
  dead: boolean;
  restartAsked: boolean;

  port: number | null;
  /** Where figures that it sends by statsd are read; null: nowhere. */
  statsdPort: number | null;
  uid: number | null;
  restarts: number;
  /** Unplanned ends in a row. */
  crashes: number;
  /** Monotonic time since which it has been ready without a break; null while it is not. */
  healthySinceMs: number | null;
  startedAtMs: number | null;
  /** Wall-clock time of the latest change of `state` or `ready`. */
  sinceMs: number;
  exit: Exit | null;
  reason: Reason | null;
  run: Run | null;
  /** The run before, whose parent waits to be told to run once more, or to go. */
  last: Run | null;
  identity: InstanceRecord["run"];
  /** How many processes of its group the kernel had killed for want of memory before this run. */
  memoryKills: number;
  /** It ended for good. */
  done: boolean;
}

export function newHeldInstance(options: {
  readonly id: InstanceId;
  readonly workload: WorkloadId;
  readonly restartToken: string;
  readonly nowMs: number;
  readonly monotonicMs: number;
}): HeldInstance {
  return {
    id: options.id,
    workload: options.workload,
    createdAtMs: options.nowMs,
    state: "starting",
    ready: false,
    wasReady: false,
    enteredAtMs: options.monotonicMs,
    restartToken: options.restartToken,
    afterwards: "restart",
    drained: false,
    killedAtMs: null,
    retryAtMs: 0,
    dead: false,
    restartAsked: false,
    port: null,
    statsdPort: null,
    uid: null,
    restarts: 0,
    crashes: 0,
    healthySinceMs: null,
    startedAtMs: null,
    sinceMs: options.nowMs,
    exit: null,
    reason: null,
    run: null,
    last: null,
    identity: null,
    memoryKills: 0,
    done: false,
  };
}

export function toRecord(held: HeldInstance): InstanceRecord {
  const { id, workload, createdAtMs, port, statsdPort, restarts, crashes, restartToken, startedAtMs, exit } = held;
  return {
    id,
    workload,
    createdAtMs,
    port,
    ...(statsdPort === null ? {} : { statsdPort }),
    restarts,
    crashes,
    restartToken,
    startedAtMs,
    exit,
    run: held.identity,
    ready: held.ready,
    memoryKills: held.memoryKills,
    done: held.done,
  };
}

/** The instance as it is told to others. */
export function toInstance(held: HeldInstance, machine: MachineId): Instance {
  return {
    id: held.id,
    workload: held.workload,
    machine,
    state: held.state,
    ready: held.ready,
    host: "127.0.0.1",
    port: held.port,
    pid: held.run?.process.main.pid ?? null,
    restarts: held.restarts,
    startedAtMs: held.startedAtMs,
    sinceMs: held.sinceMs,
    exit: held.exit,
    reason: held.ready ? null : held.reason,
    restartToken: held.restartToken,
  };
}
