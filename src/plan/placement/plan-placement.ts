import type { MachineId } from "#model/names.ts";
import { formatSize } from "#model/quantities.ts";
import type { Resources } from "#model/workload.ts";

/** A machine, and what of it nobody has reserved. Free amounts can be below zero after resources were raised by hand. */
export interface MachineRoom {
  readonly id: MachineId;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly freeCores: number;
  readonly freeMemoryBytes: number;
}

export interface PlacementRequest {
  /** For the words. */
  readonly name: string;
  /** Instances more than there are. */
  readonly more: number;
  readonly resources: Resources;
}

export interface Placement {
  readonly name: string;
  /** How many of them fit now. */
  readonly fitting: number;
  /** Why not all of them, in words; null when all fit. */
  readonly problem: string | null;
  /** Whether not even one would fit on an empty machine, so that waiting cannot help. */
  readonly neverFits: boolean;
}

/** Finds room for instances in the order given, machine by machine in the order given. What is not stated needs nothing. */
export function planPlacement(requests: readonly PlacementRequest[], machines: readonly MachineRoom[]): readonly Placement[] {
  const room = machines.map((machine) => ({ ...machine }));
  return requests.map(({ name, more, resources }) => {
    const cores = resources.cpu ?? 0;
    const bytes = resources.memoryBytes ?? 0;
    let fitting = 0;
    for (const machine of room) {
      const fits = Math.min(more - fitting, whole(machine.freeCores, cores), whole(machine.freeMemoryBytes, bytes));
      fitting += fits;
      machine.freeCores -= fits * cores;
      machine.freeMemoryBytes -= fits * bytes;
    }
    if (fitting === more) return { name, fitting, problem: null, neverFits: false };
    const looked = room.map((machine) => describeRoom(machine, cores, bytes)).join(", ");
    return {
      name,
      fitting,
      problem: `${name} needs ${describeNeed(cores, bytes)}${more - fitting > 1 ? ` for each of ${more - fitting} instances` : ""}; ${count(room.length)} looked at${looked === "" ? "" : `, ${looked}`}`,
      neverFits: machines.length > 0 && machines.every((machine) => machine.cores < cores || machine.memoryBytes < bytes),
    };
  });
}

/** How often `each` goes into `free`; a sliver is forgiven, because sums of fractions of cores are not exact. */
function whole(free: number, each: number): number {
  return each === 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, Math.floor(free / each + 1e-9));
}

function describeNeed(cores: number, bytes: number): string {
  const parts = [...(cores > 0 ? [`${formatCores(cores)} CPU`] : []), ...(bytes > 0 ? [`${formatSize(bytes)} of memory`] : [])];
  return parts.length === 0 ? "a machine" : parts.join(" and ");
}

function describeRoom(machine: MachineRoom, cores: number, bytes: number): string {
  const parts = [
    ...(cores > 0 ? [`${formatCores(Math.max(0, machine.freeCores))} CPU`] : []),
    ...(bytes > 0 ? [`${formatSize(Math.max(0, machine.freeMemoryBytes))} of memory`] : []),
  ];
  return `${parts.length === 0 ? "nothing" : parts.join(" and ")} free on ${machine.id}`;
}

function formatCores(cores: number): string {
  return String(Number(cores.toFixed(2)));
}

function count(machines: number): string {
  return machines === 1 ? "1 machine" : `${machines} machines`;
}
