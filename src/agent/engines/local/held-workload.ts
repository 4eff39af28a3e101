import type { InstanceId, WorkloadId } from "#model/names.ts";
import type { Reason, StopRules, Workload, WorkloadStatus } from "#model/workload.ts";
import type { HeldInstance } from "./held-instance.ts";
import type { DesiredWorkload } from "./plan-instances.ts";

/** A workload as the engine holds it: its order, or what is left of one that was removed. */
export interface HeldWorkload {
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

/** How an instance is stopped whose order is not known any more. */
export const lostStop: StopRules = { signal: "SIGTERM", drainMs: 0, graceMs: 10_000 };

export function newHeldWorkload(order: Workload): HeldWorkload {
  const { id, revision, stop } = order;
  return { id, revision, order, removed: false, stop, reason: null, instances: new Map(), timer: null };
}

export function removedWorkload({ id, revision, stop }: Pick<HeldWorkload, "id" | "revision" | "stop">): HeldWorkload {
  return { id, revision, order: null, removed: true, stop, reason: null, instances: new Map(), timer: null };
}

/** @param leaseEndsAtMs null: it needs no lease */
export function toDesired({ id, order, removed, stop, reason }: HeldWorkload, leaseEndsAtMs: number | null): DesiredWorkload {
  return {
    id,
    kind: order?.kind ?? "service",
    count: order?.count ?? 0,
    routed: order?.routed ?? false,
    restartToken: order?.restartToken ?? "",
    reloads: order?.own !== undefined,
    stop,
    timeoutMs: order?.timeoutMs ?? null,
    blocked: reason !== null,
    removed: removed || order === null,
    onlyOne: order?.onlyOne === true,
    leaseEndsAtMs,
  };
}

export function toStatus(held: HeldWorkload, { id, kind, count, onlyOne }: Workload): WorkloadStatus {
  const status = { id, revision: held.revision, kind, count: held.removed ? 0 : count, reason: held.reason };
  return onlyOne === true ? { ...status, onlyOne } : status;
}

/** Stands for the order of an instance that nothing is known of but that it has to go. */
export function placeholder(id: WorkloadId): Workload {
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
