import { leaseStopMs } from "#model/lease.ts";
import type { InstanceId, WorkloadId } from "#model/names.ts";
import type { InstanceState, StopRules } from "#model/workload.ts";

/** What the planner needs of an order. */
export interface DesiredWorkload {
  readonly id: WorkloadId;
  readonly kind: "service" | "task";
  readonly count: number;
  readonly routed: boolean;
  readonly restartToken: string;
  /** It can be told to go on with another program: restart tokens that differ after their point alone need no restart. */
  readonly reloads: boolean;
  readonly stop: StopRules;
  readonly timeoutMs: number | null;
  /** It cannot be started now, for want of its artifact. */
  readonly blocked: boolean;
  /** It is to go, with all its instances. */
  readonly removed: boolean;
  /** It must never run twice: nothing is started before everything else of it has ended. */
  readonly onlyOne: boolean;
  /** When its lease is over, on the monotonic clock: nothing of it may run from then on. Null: it needs none. */
  readonly leaseEndsAtMs: number | null;
}

/** What follows when an instance's process has ended: another start of the same instance, or nothing. */
export type Afterwards = "restart" | "stop";

/** What the planner needs of an instance. Times are monotonic milliseconds. */
export interface ObservedInstance {
  readonly id: InstanceId;
  readonly state: InstanceState;
  readonly ready: boolean;
  /** It has been ready since its latest start, so connections to it may be open. */
  readonly wasReady: boolean;
  /** When it entered its state. */
  readonly enteredAtMs: number;
  readonly restartToken: string;
  /** draining and stopping: what follows. */
  readonly afterwards: Afterwards;
  /** draining: the edges let go of it. */
  readonly drained: boolean;
  /** stopping: when SIGKILL was last sent. */
  readonly killedAtMs: number | null;
  /** backoff: when it may start again. */
  readonly retryAtMs: number;
  /** The alive probe failed for good: its process is no use any more. */
  readonly dead: boolean;
  /** Somebody asked for this one instance to be restarted. */
  readonly restartAsked: boolean;
}

export type EndReason = "unwanted" | "lease over" | "restart asked" | "configuration changed" | "not alive" | "timed out";

export type InstanceAction =
  | { readonly kind: "create"; readonly reason: "missing" }
  | { readonly kind: "start"; readonly id: InstanceId; readonly reason: "due" | "configuration changed" }
  | { readonly kind: "reload"; readonly id: InstanceId; readonly reason: "configuration changed" | "restart asked" }
  | { readonly kind: "drain"; readonly id: InstanceId; readonly afterwards: Afterwards; readonly reason: EndReason }
  | {
      readonly kind: "signal";
      readonly id: InstanceId;
      readonly afterwards: Afterwards;
      readonly reason: EndReason | "drained" | "drain over";
    }
  | { readonly kind: "kill"; readonly id: InstanceId; readonly reason: "grace over" | "still there" }
  | { readonly kind: "forget"; readonly id: InstanceId; readonly reason: "unwanted" | "lease over" }
  /** No instance is left of a workload that was to go. */
  | { readonly kind: "forget-workload"; readonly reason: "unwanted" };

export interface InstancePlan {
  readonly actions: readonly InstanceAction[];
  /** Earliest monotonic time at which the plan can change with no new input; null if never. */
  readonly replanAtMs: number | null;
}

/** How long past its drain time an instance waits to hear that the edges let go: the server keeps the drain time, this is for when it is away. */
export const drainMarginMs = 30_000;
/** A killed process that is still there waits inside the kernel; it is killed again at this interval until it is gone. */
export const killAgainMs = 1_000;

/** What to do now so that a workload's instances become what its order says. Instances come oldest first. */
export function planInstances(workload: DesiredWorkload, instances: readonly ObservedInstance[], nowMs: number): InstancePlan {
  const wanted = workload.removed ? 0 : workload.count;
  const staying = instances.filter((instance) => !isLeaving(instance));
  // A task that has ended stays to be asked about; it is only its removal that makes it surplus.
  const surplus = new Set(workload.kind === "task" && !workload.removed ? [] : leastUseful(staying, staying.length - wanted));
  const restart = nextToRestart(
    workload,
    staying.filter((instance) => !surplus.has(instance)),
  );
  const actions: InstanceAction[] = [];
  const due: number[] = [];
  for (const instance of instances) {
    const end = endOf(workload, instance, surplus.has(instance), instance === restart, nowMs);
    const next = planInstance(workload, instance, end, nowMs);
    if (typeof next === "number") due.push(next);
    else if (next !== null) actions.push(next);
  }
  // A task runs once: whatever became of its instance, there is no second.
  const isOneThere = (workload.kind === "task" || workload.onlyOne) && instances.length > 0;
  const missing = isOneThere ? 0 : wanted - staying.length;
  const { leaseEndsAtMs } = workload;
  if (leaseEndsAtMs !== null && leaseEndsAtMs > nowMs && instances.length > 0) due.push(leaseEndsAtMs);
  if (!workload.blocked && !isLeaseOver(workload, nowMs))
    for (let i = 0; i < missing; i++) actions.push({ kind: "create", reason: "missing" });
  if (workload.removed && instances.length === 0) actions.push({ kind: "forget-workload", reason: "unwanted" });
  return { actions, replanAtMs: due.length === 0 ? null : Math.min(...due) };
}

type End = { readonly afterwards: Afterwards; readonly reason: EndReason } | { readonly dueAtMs: number | null };

/** Why a running instance has to end now, or when that can change. */
function endOf(workload: DesiredWorkload, instance: ObservedInstance, surplus: boolean, restart: boolean, nowMs: number): End {
  if (isLeaseOver(workload, nowMs)) return { afterwards: "stop", reason: "lease over" };
  if (surplus) return { afterwards: "stop", reason: "unwanted" };
  if (workload.kind === "task") {
    if (workload.timeoutMs === null) return { dueAtMs: null };
    const dueAtMs = instance.enteredAtMs + workload.timeoutMs;
    return dueAtMs <= nowMs ? { afterwards: "stop", reason: "timed out" } : { dueAtMs };
  }
  if (instance.dead) return { afterwards: "restart", reason: "not alive" };
  if (instance.restartAsked) return { afterwards: "restart", reason: "restart asked" };
  if (restart) return { afterwards: "restart", reason: "configuration changed" };
  return { dueAtMs: null };
}

/** One action, the time at which there may be one, or null. */
function planInstance(workload: DesiredWorkload, instance: ObservedInstance, end: End, nowMs: number): InstanceAction | number | null {
  const { id, afterwards } = instance;
  const ends = "reason" in end;
  switch (instance.state) {
    case "starting":
      return null;
    case "running":
      if (!ends) return end.dueAtMs;
      if ((end.reason === "configuration changed" || end.reason === "restart asked") && canReload(workload, instance))
        return { kind: "reload", id, reason: end.reason };
      return { kind: mayHaveTraffic(workload, instance) && end.reason !== "lease over" ? "drain" : "signal", id, ...end };
    case "draining": {
      if (ends && end.reason === "lease over") return { kind: "signal", id, ...end };
      if (instance.drained) return { kind: "signal", id, afterwards, reason: "drained" };
      const overAtMs = instance.enteredAtMs + workload.stop.drainMs + drainMarginMs;
      return overAtMs <= nowMs ? { kind: "signal", id, afterwards, reason: "drain over" } : overAtMs;
    }
    case "stopping": {
      const first = instance.killedAtMs === null;
      const graceEndsAtMs = Math.min(instance.enteredAtMs + workload.stop.graceMs, (workload.leaseEndsAtMs ?? Infinity) + leaseStopMs);
      const killAtMs = instance.killedAtMs === null ? graceEndsAtMs : instance.killedAtMs + killAgainMs;
      return killAtMs <= nowMs ? { kind: "kill", id, reason: first ? "grace over" : "still there" } : killAtMs;
    }
    case "backoff":
      if (ends && (end.reason === "unwanted" || end.reason === "lease over")) return { kind: "forget", id, reason: end.reason };
      if (workload.blocked) return null;
      if (instance.restartToken !== workload.restartToken || instance.restartAsked)
        return { kind: "start", id, reason: "configuration changed" };
      return instance.retryAtMs <= nowMs ? { kind: "start", id, reason: "due" } : instance.retryAtMs;
    case "exited":
      return workload.kind === "service" || workload.removed ? { kind: "forget", id, reason: "unwanted" } : null;
    default:
      return instance.state satisfies never;
  }
}

function isLeaseOver({ leaseEndsAtMs }: DesiredWorkload, nowMs: number): boolean {
  return leaseEndsAtMs !== null && leaseEndsAtMs <= nowMs;
}

function isLeaving({ state, afterwards }: ObservedInstance): boolean {
  return state === "exited" || ((state === "draining" || state === "stopping") && afterwards === "stop");
}

/** Whether all that differs is what a main process takes up without an end. */
function canReload(workload: DesiredWorkload, instance: ObservedInstance): boolean {
  const fixedPart = (token: string) => token.slice(0, token.indexOf("."));
  return workload.reloads && instance.ready && fixedPart(workload.restartToken) === fixedPart(instance.restartToken);
}

/** One that is not alive gets no time to drain: whoever waits for it waits in vain. */
function mayHaveTraffic(workload: DesiredWorkload, instance: ObservedInstance): boolean {
  return workload.routed && instance.wasReady && !instance.dead;
}

/** The `count` instances whose end costs least: what does not run goes before what runs, that before what is ready, and the young before the old. */
function leastUseful(instances: readonly ObservedInstance[], count: number): readonly ObservedInstance[] {
  if (count <= 0) return [];
  const use = ({ state, ready }: ObservedInstance) => (state === "backoff" ? 0 : state === "starting" ? 1 : ready ? 3 : 2);
  return instances
    .map((instance, age) => ({ instance, age }))
    .sort((a, b) => use(a.instance) - use(b.instance) || b.age - a.age)
    .slice(0, count)
    .map(({ instance }) => instance);
}

/**
 * The instance to restart next because it was started under another restart token. Only one of several is without service at a time: one that is
 * not ready goes first, one that is ready only while all others are.
 */
function nextToRestart(workload: DesiredWorkload, staying: readonly ObservedInstance[]): ObservedInstance | null {
  const serves = (instance: ObservedInstance) => instance.state === "running" && instance.ready;
  const outdated = staying.filter(({ state, restartToken }) => state === "running" && restartToken !== workload.restartToken);
  const idle = outdated.find((instance) => !serves(instance));
  const away = staying.filter((instance) => !serves(instance));
  if (idle !== undefined) return idle;
  return away.length === 0 ? (outdated[0] ?? null) : null;
}
