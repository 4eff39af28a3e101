import type { AppId, InstanceId, MachineId, WorkloadId, WorkloadName } from "#model/names.ts";
import type { Machine, Workload, WorkloadStatus } from "#model/workload.ts";
import type { MachineRoom } from "#plan/placement/plan-placement.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import type { AgentPeer } from "./peers.ts";

/** What is known of one workload on one machine: what its agent was told in this link, and what it reports. */
export interface KnownWorkload {
  readonly id: WorkloadId;
  readonly name: WorkloadName;
  readonly machine: MachineId;
  readonly kind: Workload["kind"];
  readonly count: number;
  /** The most that it was told since it last confirmed an order: it may have that many before its reports show them. */
  readonly mayHave: number;
  /** Revision of the newest order that the agent has. */
  readonly revision: number;
  readonly isRemoving: boolean;
  /** It must never run twice: its machine runs it under a lease, if it is another one than the server's. */
  readonly onlyOne: boolean;
  /** The order without its count, as text; null if it was given before this link. */
  readonly order: string | null;
  readonly status: WorkloadStatus | null;
  readonly instances: ReadonlyMap<InstanceId, ObservedInstance>;
}

/** As the fleet itself writes it. */
export interface MutableWorkload extends KnownWorkload {
  kind: Workload["kind"];
  count: number;
  mayHave: number;
  revision: number;
  isRemoving: boolean;
  onlyOne: boolean;
  order: string | null;
  status: WorkloadStatus | null;
  readonly instances: Map<InstanceId, ObservedInstance>;
  reservedCores: number;
  reservedBytes: number;
  reservedInstances: number;
}

export interface KnownMachine {
  readonly id: MachineId;
  readonly machine: Machine;
  /** Null while it is not linked: what is known of it is then what it reported last. */
  readonly peer: AgentPeer | null;
  /** Whether everything on it was reported since it linked. */
  readonly isKnown: boolean;
  /** It is another machine than the server's. */
  readonly isRemote: boolean;
  /** How long nothing was heard of it when its link was given up; 0 where the link was closed. */
  readonly silentMs: number;
  /** What is said of it here, besides what it says of itself. */
  readonly standing: MachineStanding;
  /** Apps that it ran when it was given up; none once it is back. */
  readonly gaveUp: ReadonlySet<AppId>;
}

/** What is declared of a machine: it is no fact that its agent could know. */
export interface MachineStanding {
  readonly labels: Readonly<Record<string, string>>;
  /** Takes nothing new. */
  readonly isCordoned: boolean;
  /** What it runs is to go elsewhere. */
  readonly isDraining: boolean;
}

/** As the fleet itself writes it. */
export interface MutableMachine extends KnownMachine {
  machine: Machine;
  peer: AgentPeer | null;
  isKnown: boolean;
  isRemote: boolean;
  silentMs: number;
  standing: MachineStanding;
  gaveUp: ReadonlySet<AppId>;
  reservedInstances: number;
  reservedCores: number;
  reservedBytes: number;
  /** What is known of it, so that nobody has to look through all apps for it. */
  readonly workloads: Set<MutableWorkload>;
  /** As planners see it, made when it is asked for; null once anything of it has changed. */
  room: MachineRoom | null;
}

/** As planners see it. */
export function roomOf({ id, machine, standing, reservedCores, reservedBytes, reservedInstances }: MutableMachine): MachineRoom {
  return {
    id,
    cores: machine.cores,
    memoryBytes: machine.memoryBytes,
    freeCores: machine.cores - reservedCores,
    freeMemoryBytes: machine.memoryBytes - reservedBytes,
    instances: reservedInstances,
    labels: standing.labels,
    isCordoned: standing.isCordoned || standing.isDraining,
    isDraining: standing.isDraining,
  };
}

/** Whether it has instances, or is to have some: an order for none is kept for a while after the last of them. */
export function runsThere({ count, instances }: KnownWorkload): boolean {
  return count > 0 || instances.size > 0;
}

/** Nothing of it is left, and no order that the agent may not have reported yet could bring something. */
export function isOver(known: MutableWorkload): boolean {
  return known.status === null && known.instances.size === 0 && known.count === 0 && known.mayHave === 0;
}
