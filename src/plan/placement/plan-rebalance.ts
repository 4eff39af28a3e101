import type { MachineId } from "#model/names.ts";
import type { Resources } from "#model/workload.ts";
import { isAllowed, type MachineRoom, type PlacementRules } from "./plan-placement.ts";

/** A process that may be moved about, and where its instances are. */
export interface Balanced {
  /** Names it in the moves. */
  readonly name: string;
  readonly on: ReadonlyMap<MachineId, number>;
  readonly resources: Resources;
  readonly rules: PlacementRules;
}

export interface Move {
  readonly name: string;
  readonly from: MachineId;
  readonly to: MachineId;
  readonly reason: string;
}

export interface RebalancePlan {
  /** One instance each, in an order in which every one fits. */
  readonly moves: readonly Move[];
  /** Where the instances of each that moves are after that. */
  readonly after: ReadonlyMap<string, ReadonlyMap<MachineId, number>>;
}

interface Room {
  readonly machine: MachineRoom;
  freeCores: number;
  freeBytes: number;
  instances: number;
}

/** How crowded a place is: of the process by zone, of the process, of all apps. */
type Crowd = readonly [zone: number, own: number, all: number];

/**
 * Moves that make instances as even as placement would have made them, had all machines been there from the start: by the label to spread over, then by machine,
 * then with those of other apps. Each move makes it more even, so there is an end to them, and planning again after them gives none. What fits nowhere
 * better stays.
 */
export function planRebalance(processes: readonly Balanced[], machines: readonly MachineRoom[]): RebalancePlan {
  const rooms = machines.map((machine): Room => {
    const { freeCores, freeMemoryBytes, instances } = machine;
    return { machine, freeCores, freeBytes: freeMemoryBytes, instances };
  });
  const on = new Map(processes.map((process) => [process.name, new Map(process.on)]));
  const moves: Move[] = [];
  // A move for the sake of one app may free a better place for one before it.
  for (let before = -1; before !== moves.length; ) {
    before = moves.length;
    for (const process of processes) moves.push(...movesOf(process, on.get(process.name) ?? new Map(), rooms));
  }
  const moved = new Set(moves.map(({ name }) => name));
  return { moves, after: new Map([...on].filter(([name]) => moved.has(name))) };
}

function movesOf(process: Balanced, on: Map<MachineId, number>, rooms: readonly Room[]): readonly Move[] {
  const { name, resources, rules } = process;
  const cores = resources.cpu ?? 0;
  const bytes = resources.memoryBytes ?? 0;
  const zoneOf = ({ labels }: MachineRoom) => (rules.spread === null ? undefined : labels[rules.spread]);
  const moves: Move[] = [];
  for (;;) {
    const zones = new Map<string | undefined, number>();
    for (const { machine } of rooms) zones.set(zoneOf(machine), (zones.get(zoneOf(machine)) ?? 0) + (on.get(machine.id) ?? 0));
    const crowdOf = ({ machine, instances }: Room): Crowd => [zones.get(zoneOf(machine)) ?? 0, on.get(machine.id) ?? 0, instances];
    const from = best(
      rooms.filter(({ machine }) => (on.get(machine.id) ?? 0) > 0),
      (a, b) => isMore(crowdOf(a), crowdOf(b)),
    );
    const to = best(
      rooms.filter((room) => room !== from && isAllowed(room.machine, rules) && holds(room, cores, bytes)),
      (a, b) => isMore(crowdOf(b), crowdOf(a)),
    );
    if (from === null || to === null || !isBetter(crowdOf(from), crowdOf(to), zoneOf(from.machine) === zoneOf(to.machine))) return moves;
    moves.push({ name, from: from.machine.id, to: to.machine.id, reason: reasonOf(process, from, to, on) });
    shift(from, -1, cores, bytes);
    shift(to, 1, cores, bytes);
    on.set(from.machine.id, (on.get(from.machine.id) ?? 0) - 1);
    on.set(to.machine.id, (on.get(to.machine.id) ?? 0) + 1);
  }
}

function shift(room: Room, by: 1 | -1, cores: number, bytes: number): void {
  room.instances += by;
  room.freeCores -= by * cores;
  room.freeBytes -= by * bytes;
}

/** Whether one less there and one more here is more even in the first of them that changes. */
function isBetter(from: Crowd, to: Crowd, isSameZone: boolean): boolean {
  const gains = [isSameZone ? 0 : from[0] - to[0] - 1, from[1] - to[1] - 1, from[2] - to[2] - 1];
  return (gains.find((gain) => gain !== 0) ?? 0) > 0;
}

function isMore(one: Crowd, other: Crowd): boolean {
  for (const at of [0, 1, 2] as const) if (one[at] !== other[at]) return one[at] > other[at];
  return false;
}

function best<T>(all: readonly T[], isBefore: (one: T, other: T) => boolean): T | null {
  let found: T | null = null;
  for (const one of all) if (found === null || isBefore(one, found)) found = one;
  return found;
}

function holds({ freeCores, freeBytes }: Room, cores: number, bytes: number): boolean {
  return (cores === 0 || freeCores / cores + 1e-9 >= 1) && (bytes === 0 || freeBytes / bytes + 1e-9 >= 1);
}

function reasonOf({ rules }: Balanced, from: Room, to: Room, on: ReadonlyMap<MachineId, number>): string {
  const [most, least] = [on.get(from.machine.id) ?? 0, on.get(to.machine.id) ?? 0];
  if (rules.spread !== null && from.machine.labels[rules.spread] !== to.machine.labels[rules.spread])
    return `there are fewer where ${rules.spread} is ${to.machine.labels[rules.spread] ?? "not said"}`;
  if (most - least > 1) return `${from.machine.id} has ${most}, ${to.machine.id} has ${least}`;
  return `${from.machine.id} has ${from.instances} of all apps, ${to.machine.id} has ${to.instances}`;
}
