import type { Place } from "#model/app.ts";
import type { MachineId } from "#model/names.ts";
import { isOfPool } from "#model/pool.ts";
import { formatSize } from "#model/quantities.ts";
import type { Resources } from "#model/workload.ts";
import { Heap } from "./heap.ts";

/** A machine, and what of it nobody has reserved. Free amounts can be below zero after resources were raised by hand. */
export interface MachineRoom {
  readonly id: MachineId;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly freeCores: number;
  readonly freeMemoryBytes: number;
  /** Of all apps, there or ordered. */
  readonly instances: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Takes nothing new. */
  readonly isCordoned: boolean;
  /** What it runs is to go elsewhere; it is cordoned too. */
  readonly isDraining: boolean;
}

export interface PlacementRequest {
  /** For the words. */
  readonly name: string;
  /** Instances more than there are. */
  readonly more: number;
  readonly resources: Resources;
  /** What is there already of the same kind, by machine: new ones go where there are fewest. */
  readonly beside: ReadonlyMap<MachineId, number>;
  readonly rules: PlacementRules;
  /** The most of the same kind that each machine may have, where that was decided beforehand; left out: any number. */
  readonly most?: ReadonlyMap<MachineId, number> | undefined;
}

/** Where an app may run. */
export interface PlacementRules extends Place {
  /** The one machine that it is bound to, because its volumes are there; null: none. */
  readonly only: MachineId | null;
}

export const anywhere: PlacementRules = { only: null, labels: {}, pool: null, spread: null };

/** Instances for which there is no room. */
export interface Unplaced {
  /** Of whom, for the words. */
  readonly name: string;
  readonly instances: number;
  /** Of each. */
  readonly resources: Resources;
  readonly rules: PlacementRules;
  /** What was looked at, in words. */
  readonly words: string;
}

export interface Placement {
  readonly name: string;
  /** How many of them fit now. */
  readonly fitting: number;
  /** Where these go. */
  readonly on: ReadonlyMap<MachineId, number>;
  /** Those that do not fit; null when all do. */
  readonly unplaced: Unplaced | null;
  /** Whether not even one would fit on an empty machine, so that waiting cannot help. */
  readonly neverFits: boolean;
}

/** Machines that a refusal names one by one; of more it names the best. */
const mostNamed = 3;

interface Candidate {
  readonly machine: MachineRoom;
  freeCores: number;
  freeBytes: number;
  /** Of the same kind. */
  beside: number;
  /** Of the same kind it may have at the most. */
  readonly most: number;
  instances: number;
  /** Its place in the list. */
  readonly order: number;
}

/** Machines with one value of the label to spread over; without one, all of them. */
interface Zone {
  /** Of the same kind, on all its machines. */
  beside: number;
  readonly candidates: Candidate[];
}

interface Taken {
  cores: number;
  bytes: number;
  instances: number;
}

/**
 * Finds room for instances in the order given. Each goes where there are fewest of its kind (by the label to spread over, then by machine), then where
 * there are fewest at all, then to the first machine. What is not stated needs nothing.
 */
export function planPlacement(requests: readonly PlacementRequest[], machines: readonly MachineRoom[]): readonly Placement[] {
  const taken = new Map<MachineId, Taken>();
  return requests.map((request) => placeOne(request, machines, taken));
}

function placeOne(request: PlacementRequest, machines: readonly MachineRoom[], taken: Map<MachineId, Taken>): Placement {
  const { name, more, resources } = request;
  const cores = resources.cpu ?? 0;
  const bytes = resources.memoryBytes ?? 0;
  const zones = zonesOf(request, machines, taken);
  const candidates = zones.flatMap((zone) => zone.candidates);
  const heaps = zones.map((zone) => ({ zone, heap: new Heap([...zone.candidates], isBetter) }));
  const on = new Map<MachineId, number>();
  let fitting = 0;
  for (; fitting < more; fitting++) {
    let chosen: (typeof heaps)[number] | null = null;
    for (const one of heaps) {
      // What does not fit now will not fit for the rest of this request.
      for (let best = one.heap.best; best !== null && !holds(best, cores, bytes); best = one.heap.best) one.heap.dropBest();
      if (one.heap.best !== null && (chosen === null || one.zone.beside < chosen.zone.beside)) chosen = one;
    }
    const best = chosen?.heap.best;
    if (chosen === null || best === null || best === undefined) break;
    best.freeCores -= cores;
    best.freeBytes -= bytes;
    best.beside++;
    best.instances++;
    chosen.zone.beside++;
    chosen.heap.worsened();
    on.set(best.machine.id, (on.get(best.machine.id) ?? 0) + 1);
  }
  for (const [id, count] of on) {
    const before = taken.get(id) ?? { cores: 0, bytes: 0, instances: 0 };
    taken.set(id, { cores: before.cores + count * cores, bytes: before.bytes + count * bytes, instances: before.instances + count });
  }
  if (fitting === more) return { name, fitting, on, unplaced: null, neverFits: false };
  const instances = more - fitting;
  const each = instances > 1 ? ` for each of ${instances} instances` : "";
  const look = describeLook(request.rules, machines, candidates, cores, bytes);
  return {
    name,
    fitting,
    on,
    unplaced: {
      name,
      instances,
      resources,
      rules: request.rules,
      words: `${name} needs ${describeNeed(cores, bytes)}${each}; ${look}`,
    },
    neverFits: machines.length > 0 && machines.every((machine) => machine.cores < cores || machine.memoryBytes < bytes),
  };
}

function zonesOf(
  { beside, rules, most }: PlacementRequest,
  machines: readonly MachineRoom[],
  taken: Map<MachineId, Taken>,
): readonly Zone[] {
  const zones = new Map<string | undefined, Zone>();
  for (const [order, machine] of machines.entries()) {
    const own = beside.get(machine.id) ?? 0;
    const label = rules.spread === null ? undefined : machine.labels[rules.spread];
    let zone = zones.get(label);
    if (zone === undefined) zones.set(label, (zone = { beside: 0, candidates: [] }));
    // What is on a machine that takes nothing new counts for its zone all the same.
    zone.beside += own;
    if (!isAllowed(machine, rules)) continue;
    const gone = taken.get(machine.id);
    zone.candidates.push({
      machine,
      freeCores: machine.freeCores - (gone?.cores ?? 0),
      freeBytes: machine.freeMemoryBytes - (gone?.bytes ?? 0),
      beside: own,
      most: most === undefined ? Number.POSITIVE_INFINITY : (most.get(machine.id) ?? 0),
      instances: machine.instances + (gone?.instances ?? 0),
      order,
    });
  }
  return [...zones.values()];
}

/** Whether the machine takes instances of the app now, if they fit. */
export function isAllowed(machine: MachineRoom, rules: PlacementRules): boolean {
  return !machine.isCordoned && (rules.only === null || rules.only === machine.id) && suits(machine, rules);
}

/** Whether the machine is one that the app is declared to run on, whatever it has or takes now. */
export function suits(machine: Pick<MachineRoom, "id" | "labels">, { labels, pool }: Place): boolean {
  for (const name of Object.keys(labels)) if (machine.labels[name] !== labels[name]) return false;
  return pool === null || isOfPool(machine.id, pool);
}

function holds({ freeCores, freeBytes, beside, most }: Candidate, cores: number, bytes: number): boolean {
  return beside < most && fits(freeCores, cores) && fits(freeBytes, bytes);
}

function isBetter(one: Candidate, other: Candidate): boolean {
  if (one.beside !== other.beside) return one.beside < other.beside;
  return one.instances === other.instances ? one.order < other.order : one.instances < other.instances;
}

/** A sliver is forgiven, because sums of fractions of cores are not exact. */
function fits(free: number, each: number): boolean {
  return each === 0 || free / each + 1e-9 >= 1;
}

/** What was looked at and why it was not enough. */
function describeLook(
  rules: PlacementRules,
  machines: readonly MachineRoom[],
  candidates: readonly Candidate[],
  cores: number,
  bytes: number,
): string {
  const refused: string[] = [];
  const elsewhere = rules.only === null ? 0 : machines.filter(({ id }) => id !== rules.only).length;
  if (rules.only !== null && elsewhere === machines.length) refused.push(`its volumes are on ${rules.only}, which is not there`);
  else if (elsewhere > 0) refused.push(`its volumes are on ${rules.only}`);
  for (const [name, value] of Object.entries(rules.labels)) {
    const without = machines.filter(({ labels }) => labels[name] !== value);
    if (without.length > 0) refused.push(`${some(without)} no label ${name}=${value}`);
  }
  const { pool } = rules;
  const strangers = pool === null ? [] : machines.filter(({ id }) => !isOfPool(id, pool));
  if (strangers.length > 0) refused.push(`${some(strangers, "is", "are")} not of pool ${pool}`);
  const cordoned = machines.filter(({ isCordoned }) => isCordoned);
  if (cordoned.length > 0) refused.push(`${some(cordoned, "is", "are")} cordoned`);
  const free = candidates.length <= mostNamed ? candidates : [roomiest(candidates, cores)];
  const rooms = free.map((candidate) => describeRoom(candidate, cores, bytes));
  if (candidates.length > mostNamed) rooms[0] = `the largest has ${rooms[0]}`;
  return [`${count(machines.length)} looked at`, ...refused, ...rooms].join(", ");
}

function roomiest(candidates: readonly Candidate[], cores: number): Candidate {
  const size = (one: Candidate) => (cores > 0 ? one.freeCores : one.freeBytes);
  return candidates.reduce((most, one) => (size(one) > size(most) ? one : most));
}

function describeNeed(cores: number, bytes: number): string {
  const parts = [...(cores > 0 ? [`${formatCores(cores)} CPU`] : []), ...(bytes > 0 ? [`${formatSize(bytes)} of memory`] : [])];
  return parts.length === 0 ? "a machine" : parts.join(" and ");
}

function describeRoom({ machine, freeCores, freeBytes }: Candidate, cores: number, bytes: number): string {
  const parts = [
    ...(cores > 0 ? [`${formatCores(Math.max(0, freeCores))} CPU`] : []),
    ...(bytes > 0 ? [`${formatSize(Math.max(0, freeBytes))} of memory`] : []),
  ];
  return `${parts.length === 0 ? "nothing" : parts.join(" and ")} free on ${machine.id}`;
}

/** Which machines, and the verb that fits: `m1 has`, `4 of them have`. */
function some(machines: readonly MachineRoom[], one = "has", many = "have"): string {
  const [first] = machines;
  if (machines.length === 1 && first !== undefined) return `${first.id} ${one}`;
  return `${machines.length > mostNamed ? `${machines.length} of them` : machines.map(({ id }) => id).join(", ")} ${many}`;
}

function formatCores(cores: number): string {
  return String(Number(cores.toFixed(2)));
}

function count(machines: number): string {
  return machines === 1 ? "1 machine" : `${machines} machines`;
}
