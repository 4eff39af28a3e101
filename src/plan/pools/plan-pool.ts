import type { MachineId, PoolName } from "#model/names.ts";
import { machineOf, type PoolRules } from "#model/pool.ts";
import { formatDuration, formatSize } from "#model/quantities.ts";
import { machinesFor, type Shortage, words as wordsOf } from "./shortage.ts";

/** One machine of a pool. */
export interface PoolMachine {
  readonly name: MachineId;
  /** `kept`: it should be there; `coming`: it is being made or switched on; `leaving`: it is drained, to be taken away. */
  readonly state: "kept" | "coming" | "leaving";
  /** Since when it is in this state. */
  readonly sinceMs: number;
  /** Null while it is not linked: of its room nothing is known. */
  readonly room: {
    readonly cores: number;
    readonly memoryBytes: number;
    readonly freeCores: number;
    readonly freeMemoryBytes: number;
    readonly instances: number;
    /** Whether something new may be placed there. */
    readonly isOpen: boolean;
  } | null;
  /** Since when it runs nothing; null while it runs something, or has volumes of an app. */
  readonly idleSinceMs: number | null;
}

export interface PoolInput {
  readonly name: PoolName;
  readonly rules: PoolRules;
  /** By number. */
  readonly machines: readonly PoolMachine[];
  /** Instances that found no room, and would find some on another machine of this pool. */
  readonly shortages: readonly Shortage[];
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

export type PoolAction =
  | { readonly kind: "add"; readonly machines: readonly MachineId[]; readonly reason: string }
  /** Drains a machine, so that it is taken away once nothing runs there. */
  | { readonly kind: "leave"; readonly machine: MachineId; readonly reason: string }
  /** Keeps a machine after all that was leaving. */
  | { readonly kind: "stay"; readonly machine: MachineId; readonly reason: string };

export interface PoolPlan {
  readonly actions: readonly PoolAction[];
  /** Why it does what it does, or does nothing, in words. */
  readonly why: string;
  /** What a person has to do, since the rules may or can not; null: nothing. */
  readonly need: { readonly machines: number; readonly words: string } | null;
  /** Earliest time at which the plan can change with no new input; null: never. */
  readonly replanAtMs: number | null;
}

/** A machine that has not linked after so long does not come: a cloud takes one to three minutes, bare metal with a slow self-test eight. */
export const comingMs = 10 * 60_000;
/** Additions within an hour: a rule that is wrong shall not cost more than this before somebody looks. */
export const mostAddedPerHour = 20;
const hourMs = 3_600_000;
/** What stays has to be so far below the share at which machines are added that nothing is taken away to be added again. */
const calmPart = 0.8;

/**
 * Whether a pool grows, shrinks or stays as it is. It grows by what waits for room, or by what brings its machines below a share of their resources, at
 * most to twice its size at once; it shrinks by one machine that runs nothing, once nothing has changed for as long. It never goes below `min`, above `max`, or
 * while somebody else acts on its machines.
 */
export function planPool(input: PoolInput): PoolPlan {
  const { rules, nowMs, heldBy, shortages } = input;
  const waited = shortages.filter(({ sinceMs }) => nowMs - sinceMs >= rules.waitMs);
  const isBusy = input.busySinceMs !== null && nowMs - input.busySinceMs >= rules.busyMs;
  const nextMs = earliest([
    ...shortages.filter((one) => !waited.includes(one)).map(({ sinceMs }) => sinceMs + rules.waitMs),
    input.busySinceMs !== null && !isBusy ? input.busySinceMs + rules.busyMs : null,
  ]);
  if (waited.length > 0 || isBusy) return planGrowth(input, waited, isBusy);
  if (heldBy !== null) return stays(`${heldBy}, so its number stays`, nextMs);
  if (shortages.length > 0)
    return stays(`${describe(shortages, nowMs)}; more machines are added after ${formatDuration(rules.waitMs)}`, nextMs);
  return planShrinking(input, nextMs);
}

function planGrowth(input: PoolInput, waited: readonly Shortage[], isBusy: boolean): PoolPlan {
  const { name, rules, machines, nowMs, heldBy } = input;
  const template = largestOf(machines);
  const isHopeless = (one: Shortage) => template !== null && (one.cores > template.cores || one.memoryBytes > template.memoryBytes);
  const hopeless = waited.filter(isHopeless);
  const { machines: needed, isExact } = machinesFor(
    waited.filter((one) => !isHopeless(one)),
    machines.flatMap(({ state, room }) =>
      state === "kept" && room?.isOpen === true ? { cores: room.freeCores, memoryBytes: room.freeMemoryBytes } : [],
    ),
    template,
  );
  const present = machines.filter(({ state }) => state !== "leaving");
  const coming = machines.filter(({ state }) => state === "coming");
  const wanted = Math.max(needed, isBusy ? machinesToCalm(machines, rules.busyShare) : 0) - coming.length;
  const cause = waited.length > 0 ? describe(waited, nowMs) : `its machines are above ${percent(rules.busyShare)} of what they have`;
  if (wanted <= 0) {
    const [first] = hopeless;
    if (first !== undefined && needed === 0 && template !== null)
      return stays(
        `no machine of ${name} could take ${first.name}, which needs ${wordsOf(first)}; the largest has ${sizeOf(template)}`,
        null,
      );
    const late = coming.find(({ sinceMs }) => nowMs - sinceMs >= comingMs);
    const names = coming.map(({ name: one }) => one).join(", ");
    const words = `${cause}; ${coming.length === 0 ? "its machines have room" : `${names} ${coming.length === 1 ? "is" : "are"} on the way`}`;
    return late === undefined
      ? stays(words, coming[0] === undefined ? null : coming[0].sinceMs + comingMs)
      : stays(lateWords(late, nowMs), null);
  }
  if (heldBy !== null) return stays(`${cause}; ${heldBy}, so its number stays`, null);
  const back = machines.find(({ state }) => state === "leaving");
  if (back !== undefined) return acts({ kind: "stay", machine: back.name, reason: cause }, cause);
  const late = coming.find(({ sinceMs }) => nowMs - sinceMs >= comingMs);
  if (late !== undefined) return stays(lateWords(late, nowMs), null);
  const room = rules.max - present.length;
  const ask = (few: number, why: string): PoolPlan => {
    const size = template === null ? "" : ` of ${sizeOf(template)}`;
    const words = `${few === 1 ? `add 1 machine${size}` : `add ${few} machines${size}`}${isExact ? "" : " or more"} to pool ${name}: ${cause}`;
    return { actions: [], why: `${cause}; ${why}`, need: { machines: few, words }, replanAtMs: null };
  };
  if (rules.grow === "ask") return ask(wanted, "its rules ask before they add machines");
  if (room <= 0) return ask(wanted, `it has ${present.length} machines, the most that it may have`);
  const recent = input.addedAtMs.filter((atMs) => nowMs - atMs < hourMs);
  const budget = mostAddedPerHour - recent.length;
  if (budget <= 0) return ask(wanted, `${recent.length} machines were added within an hour, and more are not without a person`);
  const count = Math.min(wanted, room, budget, Math.max(1, present.length));
  const taken = new Set(machines.map(({ name: one }) => one));
  const added: MachineId[] = [];
  for (let number = 1; added.length < count; number++) {
    const machine = machineOf(name, number);
    if (!taken.has(machine)) added.push(machine);
  }
  return acts({ kind: "add", machines: added, reason: cause }, cause);
}

function planShrinking(input: PoolInput, nextMs: number | null): PoolPlan {
  const { rules, machines, nowMs, changedAtMs } = input;
  const kept = machines.filter(({ state }) => state === "kept");
  const moving = machines.find(({ state }) => state !== "kept");
  if (moving !== undefined)
    return stays(`${moving.name} is ${moving.state === "coming" ? "on its way" : "drained and then taken away"}`, nextMs);
  const { idleMs } = rules;
  if (idleMs === null) return stays("it has what is needed, and its rules take nothing away", nextMs);
  if (kept.length <= rules.min) return stays(`it has what is needed, and ${rules.min} machines are the least`, nextMs);
  const idle = kept.filter(({ room, idleSinceMs }) => room !== null && idleSinceMs !== null);
  if (idle.length === 0) return stays("it has what is needed, and every machine runs something", nextMs);
  const ready = (one: PoolMachine) => Math.max(one.idleSinceMs ?? 0, changedAtMs ?? 0) + idleMs;
  const due = idle.filter((one) => ready(one) <= nowMs).at(-1);
  if (due === undefined)
    return stays(
      `${idle.map(({ name }) => name).join(", ")} ${idle.length === 1 ? "runs" : "run"} nothing, and not for long`,
      earliest([nextMs, ...idle.map(ready)]),
    );
  const rest = machines.filter((one) => one !== due);
  if (shareOf(rest) > rules.busyShare * calmPart)
    return stays(
      `${due.name} runs nothing, but without it the others would be close to ${percent(rules.busyShare)} of what they have`,
      nextMs,
    );
  const reason = `${due.name} has run nothing for ${formatDuration(Math.floor((nowMs - (due.idleSinceMs ?? nowMs)) / 1_000) * 1_000)}`;
  return acts({ kind: "leave", machine: due.name, reason }, reason);
}

/** The larger share, of cores or of memory, that is reserved on the machines of which something is known; 0 where there are none. */
export function shareOf(machines: readonly PoolMachine[]): number {
  const rooms = machines.flatMap(({ state, room }) => (room === null || state === "leaving" ? [] : room));
  const part = (all: (room: NonNullable<PoolMachine["room"]>) => number, free: (room: NonNullable<PoolMachine["room"]>) => number) => {
    const total = rooms.reduce((sum, room) => sum + all(room), 0);
    return total === 0 ? 0 : rooms.reduce((sum, room) => sum + all(room) - free(room), 0) / total;
  };
  return Math.max(
    part(
      ({ cores }) => cores,
      ({ freeCores }) => freeCores,
    ),
    part(
      ({ memoryBytes }) => memoryBytes,
      ({ freeMemoryBytes }) => freeMemoryBytes,
    ),
  );
}

/** How many more machines like these bring them to the share. */
function machinesToCalm(machines: readonly PoolMachine[], share: number): number {
  const known = machines.filter(({ state, room }) => room !== null && state !== "leaving").length;
  return Math.max(0, Math.ceil((known * shareOf(machines)) / share) - known);
}

function largestOf(machines: readonly PoolMachine[]): { readonly cores: number; readonly memoryBytes: number } | null {
  const rooms = machines.flatMap(({ room }) => room ?? []);
  if (rooms.length === 0) return null;
  return { cores: Math.max(...rooms.map(({ cores }) => cores)), memoryBytes: Math.max(...rooms.map(({ memoryBytes }) => memoryBytes)) };
}

function describe(shortages: readonly Shortage[], nowMs: number): string {
  return shortages
    .map(({ name, instances, sinceMs }) => {
      const minutes = Math.floor((nowMs - sinceMs) / 60_000);
      const time = minutes === 0 ? `${Math.floor((nowMs - sinceMs) / 1_000)} s` : `${minutes} min`;
      return `${instances === 1 ? "1 instance" : `${instances} instances`} of ${name} ${instances === 1 ? "has" : "have"} waited ${time}`;
    })
    .join(", ");
}

function lateWords({ name, sinceMs }: PoolMachine, nowMs: number): string {
  return `${name} was to come ${Math.floor((nowMs - sinceMs) / 60_000)} min ago and has not, so nothing more is added until it has`;
}

function sizeOf({ cores, memoryBytes }: { readonly cores: number; readonly memoryBytes: number }): string {
  return `${cores} CPU and ${formatSize(memoryBytes)}`;
}

const percent = (share: number) => `${Math.round(share * 100)}%`;

function stays(why: string, replanAtMs: number | null): PoolPlan {
  return { actions: [], why, need: null, replanAtMs };
}

function acts(action: PoolAction, why: string): PoolPlan {
  return { actions: [action], why, need: null, replanAtMs: null };
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}
