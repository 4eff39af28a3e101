import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { PoolRules } from "#model/pool.ts";
import type { Size } from "./shortage.ts";

/* A pool as its rules see it. */

/** `kept`: it should be there; `coming`: it is being made or switched on; `leaving`: it is drained, to be taken away; `going`: its provider was told so. */
export type SizedState = "kept" | "coming" | "leaving" | "going";

/** One machine of a pool. */
export interface PoolMachine {
  readonly name: MachineId;
  readonly state: SizedState;
  /** Since when it is in this state. */
  readonly sinceMs: number;
  /** Null while it is not linked: of its room nothing is known. */
  readonly room:
    | (Size & {
        readonly freeCores: number;
        readonly freeMemoryBytes: number;
        readonly instances: number;
        /** Whether something new may be placed there. */
        readonly isOpen: boolean;
      })
    | null;
  /** Since when it runs nothing; null while it runs something. */
  readonly idleSinceMs: number | null;
  /** Why it is not taken away whatever it runs, such as `it has volumes of an app`; null: nothing keeps it. */
  readonly keptBy: string | null;
  /** Its provider says that there is no such machine. */
  readonly isAbsent: boolean;
  /** Why its provider cannot do anything with it now, in words; null: nothing is known. */
  readonly trouble: string | null;
}

export interface PoolInput {
  readonly space: SpaceName;
  readonly name: PoolName;
  readonly rules: PoolRules;
  /** By number. */
  readonly machines: readonly PoolMachine[];
  /** Machines that are there before they are made, such as metal, each another one; null: they are made as they are wanted, and one is like the other. */
  readonly given: {
    readonly count: number;
    /** Those that could not be had when they were wanted last. */
    readonly unusable: ReadonlySet<MachineId>;
  } | null;
  /** Whether a ladder of the space makes what is kept and not there. */
  readonly isMended: boolean;
  /** Since when its machines together are above `rules.busyShare`; null while they are not. */
  readonly busySinceMs: number | null;
  /** Why nothing may be changed now, in words: somebody else acts on its machines; null: nothing keeps it. */
  readonly heldBy: string | null;
  /** When machines were added within the last hour. */
  readonly addedAtMs: readonly number[];
  /** When a machine was added or taken away last; null: never. */
  readonly changedAtMs: number | null;
  readonly nowMs: number;
}

/** A machine that has not linked after so long does not come: a cloud takes one to three minutes, bare metal with a slow self-test eight. */
export const comingMs = 10 * 60_000;

/** Whether it is on its way and nothing speaks against its coming. */
export function isOnItsWay({ state, sinceMs, trouble }: PoolMachine, nowMs: number): boolean {
  return state === "coming" && trouble === null && nowMs - sinceMs < comingMs;
}

/** The larger share, of cores or of memory, that is reserved on the machines of which something is known; 0 where there are none. */
export function shareOf(machines: readonly PoolMachine[]): number {
  const { cores, memory } = sharesOf(machines);
  return Math.max(cores, memory);
}

export function sharesOf(machines: readonly PoolMachine[]): { readonly cores: number; readonly memory: number } {
  const rooms = machines.flatMap(({ state, room }) => (room === null || isOnItsWayOut(state) ? [] : room));
  const sum = (of: (room: (typeof rooms)[number]) => number) => rooms.reduce((all, room) => all + of(room), 0);
  const part = (all: number, free: number) => (all === 0 ? 0 : (all - free) / all);
  return {
    cores: part(
      sum(({ cores }) => cores),
      sum(({ freeCores }) => freeCores),
    ),
    memory: part(
      sum(({ memoryBytes }) => memoryBytes),
      sum(({ freeMemoryBytes }) => freeMemoryBytes),
    ),
  };
}

/** How many more machines like these bring them to the share. */
export function machinesToCalm(machines: readonly PoolMachine[], share: number): number {
  const known = machines.filter(({ state, room }) => room !== null && !isOnItsWayOut(state)).length;
  return Math.max(0, Math.ceil((known * shareOf(machines)) / share) - known);
}

/** What a machine of the pool has; null: none is known. */
export function largestOf(machines: readonly PoolMachine[]): Size | null {
  const rooms = machines.flatMap(({ room }) => room ?? []);
  if (rooms.length === 0) return null;
  return { cores: Math.max(...rooms.map(({ cores }) => cores)), memoryBytes: Math.max(...rooms.map(({ memoryBytes }) => memoryBytes)) };
}

export function isOnItsWayOut(state: SizedState): boolean {
  return state === "leaving" || state === "going";
}
