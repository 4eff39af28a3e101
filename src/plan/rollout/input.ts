import type { App, Release, ReleaseFailure, Rollout } from "#model/app.ts";
import type { InstanceId, MachineId, ProcessName, WorkloadId } from "#model/names.ts";
import type { Instance, Reason, Workload } from "#model/workload.ts";
import type { MachineRoom, PlacementRules, Unplaced } from "../placement/plan-placement.ts";
import type { Held } from "./only-one.ts";

/** What is known of one workload of the app on one machine: what its agent was told, and what it reports. */
export interface ObservedWorkload {
  readonly id: WorkloadId;
  readonly process: ProcessName;
  readonly release: number;
  readonly kind: Workload["kind"];
  readonly machine: MachineId;
  /** Whether its agent can be told anything now. What is there is as it was reported last, and counts as not ready. */
  readonly isReachable: boolean;
  /** Of the newest order that the agent has. */
  readonly revision: number;
  /** What the agent was told last; 0 when it was told to remove it. */
  readonly count: number;
  /** The most that it was told since it last confirmed an order: it may have that many before its reports show them. */
  readonly mayHave: number;
  readonly isRemoving: boolean;
  /** Whether all of the order but its count is what would be ordered now. */
  readonly isCurrent: boolean;
  /** Why the engine cannot do what it was told; null when it can. */
  readonly reason: Reason | null;
  readonly instances: readonly ObservedInstance[];
}

export interface ObservedInstance extends Instance {
  /** Whether it was seen ready at any time. */
  readonly everReady: boolean;
  /** Whether it was seen ready since its latest start: if it is not any more, it has lost it. */
  readonly readySinceStart: boolean;
}

/** Answers of the release that is on its way, since the current step of its canary began. */
export interface StepTraffic {
  readonly requests: number;
  readonly errors: number;
  /** Upper bound of the 99th percentile of its answer times; null without answers. */
  readonly p99Ms: number | null;
}

export interface RolloutInput {
  readonly app: App;
  /** The releases that are kept, by number. */
  readonly releases: ReadonlyMap<number, Release>;
  readonly rollout: Rollout | null;
  /** Of machines that are not lost. Null while no agent can be asked: unknown is not gone, so nothing is done then. */
  readonly observed: readonly ObservedWorkload[] | null;
  /** Since when this server can ask it. What was before counts against no release: nobody could give orders then. */
  readonly observedSinceMs: number;
  /** Those that can be told something. */
  readonly machines: readonly MachineRoom[];
  readonly placement: PlacementRules;
  /** The machine that has the app's volumes, if people want it empty: nothing of the app runs meanwhile. */
  readonly emptied?: MachineId;
  /** The most instances of a process that each machine is to keep, while they are made more even; left out: any number. */
  readonly most?: ReadonlyMap<ProcessName, ReadonlyMap<MachineId, number>>;
  /** Of processes that must not run twice: machines that cannot be asked and may run them. */
  readonly held: ReadonlyMap<ProcessName, Held>;
  /** Needed apps that have no ready instance. */
  readonly unreadyNeeds: readonly string[];
  /** Null while nothing is known. */
  readonly traffic: StepTraffic | null;
  readonly nowMs: number;
}

/** One durable change of the app's state in the store. It is all that a plan contains, because everything after it depends on it. */
export type Step =
  /** Starts the way to the target. Other pending releases are superseded: the newest wins at once. */
  | { readonly kind: "begin"; readonly rollout: Rollout; readonly supersede: readonly number[]; readonly reason: string }
  | { readonly kind: "advance"; readonly rollout: Rollout; readonly reason: string }
  /** The target became ready with all that is wanted. */
  | { readonly kind: "activate"; readonly release: number; readonly supersede: readonly number[]; readonly reason: string }
  | Failure
  /** The rollout has no purpose any more: the target is the active release. */
  | { readonly kind: "end"; readonly reason: string }
  /** Nothing of a destroyed app runs any more: forget it. */
  | { readonly kind: "forget"; readonly reason: string };

/** The release failed. With something to go back to, the same commit goes back to it. */
export interface Failure {
  readonly kind: "fail";
  readonly release: number;
  readonly fallBackTo: number | null;
  readonly code: ReleaseFailure["code"];
  readonly reason: string;
  /** The instance whose last lines tell most; null if there is none. */
  readonly linesOf: InstanceId | null;
}

export type Order =
  | {
      readonly kind: "apply";
      readonly machine: MachineId;
      readonly process: ProcessName;
      readonly release: number;
      readonly workload: Workload["kind"];
      /** On that machine. */
      readonly count: number;
      readonly reason: string;
    }
  | { readonly kind: "remove"; readonly id: WorkloadId; readonly machine: MachineId; readonly reason: string };

export interface RolloutPlan {
  readonly step: Step | null;
  /** Empty when there is a step. */
  readonly orders: readonly Order[];
  /** Earliest time at which the plan can change with no new input, in epoch milliseconds; null if never. */
  readonly replanAtMs: number | null;
  /** What has to happen before it goes on, in words; empty when all is as wanted. */
  readonly waitingFor: readonly string[];
  /** What is wanted and has no place; empty when all has. */
  readonly unplaced: readonly Unplaced[];
  /** Which machine may run each process that must not run twice; left out: the same as before. */
  readonly holders?: ReadonlyMap<ProcessName, MachineId>;
}
