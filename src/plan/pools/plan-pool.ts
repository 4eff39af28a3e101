import type { MachineId } from "#model/names.ts";
import { machineOf } from "#model/pool.ts";
import { formatDuration } from "#model/quantities.ts";
import { idleFor, leavingOf } from "./leaving.ts";
import { comingMs, isOnItsWay, isOnItsWayOut, largestOf, machinesToCalm, type PoolInput, type PoolMachine } from "./pool.ts";
import { fitsOn, machinesFor, type Shortage } from "./shortage.ts";
import { describe, minutes, needsOf, percent, sizeFor, sizeOf } from "./words.ts";

/** What waits for room that a pool could give, beside other pools. */
export interface PoolDemand {
  readonly waiting: readonly Shortage[];
  /** What of it is left once all pools' machines are full, and those on their way. */
  readonly left: readonly Shortage[];
  /** Machines of any pool that are on their way for it. */
  readonly onTheWay: readonly MachineId[];
}

export type PoolAction =
  /** Makes machines, or switches them on. Some may be among those that should be there and are not. */
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

/** Additions within an hour: a rule that is wrong shall not cost more than this before somebody looks. */
export const mostAddedPerHour = 20;
const hourMs = 3_600_000;

/**
 * Whether a pool grows, shrinks or stays as it is. It grows to its least, by what waits for room, or by what brings its machines below a share of their
 * resources, at most to twice its size at once; it shrinks by one machine that runs nothing, once nothing has changed for as long. It never goes below `min`
 * by itself, above `max`, or anywhere while somebody else acts on its machines.
 */
export function planPool(input: PoolInput, demand: PoolDemand): PoolPlan {
  const size = largestOf(input.machines);
  const hopeless = size === null ? undefined : demand.waiting.find((one) => !fitsOn(one, size));
  if (size === null || hopeless === undefined) return planChange(input, demand);
  // What no machine of the pool could take neither brings nor keeps any.
  const could = (one: Shortage) => fitsOn(one, size);
  const plan = planChange(input, { ...demand, waiting: demand.waiting.filter(could), left: demand.left.filter(could) });
  const words = `no machine of ${input.name} could take ${hopeless.name}, which needs ${needsOf(hopeless)}; the largest has ${sizeOf(size)}`;
  return { ...plan, why: `${words}; ${plan.why}` };
}

function planChange(input: PoolInput, demand: PoolDemand): PoolPlan {
  const { rules, machines, nowMs, heldBy } = input;
  const { waiting } = demand;
  const waited = waiting.filter(({ sinceMs }) => nowMs - sinceMs >= rules.waitMs);
  const isBusy = input.busySinceMs !== null && nowMs - input.busySinceMs >= rules.busyMs;
  const nextMs = earliest([
    ...waiting.filter((one) => !waited.includes(one)).map(({ sinceMs }) => sinceMs + rules.waitMs),
    input.busySinceMs !== null && !isBusy ? input.busySinceMs + rules.busyMs : null,
  ]);
  const cause =
    waited.length > 0 ? describe(waited, nowMs) : isBusy ? `its machines are above ${percent(rules.busyShare)} of what they have` : null;
  if (heldBy !== null) return stays(`${cause === null ? "" : `${cause}; `}${heldBy}, so its number stays`, nextMs);
  const precious = machines.find(({ state, keptBy }) => state === "leaving" && keptBy !== null);
  if (precious !== undefined) return acts({ kind: "stay", machine: precious.name, reason: precious.keptBy ?? "" });
  // Of metal each machine is another one: the next may come where this one does not.
  const useless = input.given === null ? undefined : machines.find(({ state, trouble }) => state === "coming" && trouble !== null);
  if (useless !== undefined)
    return acts({ kind: "leave", machine: useless.name, reason: `${useless.name} does not come: ${useless.trouble}` });
  const lacking = lackingOf(input);
  if (lacking > 0)
    return grow(
      input,
      { wanted: lacking, isExact: true, waited: [] },
      `${rules.min === 1 ? "1 machine is" : `${rules.min} machines are`} the least`,
    );
  if (cause !== null) return planGrowth(input, demand, waited, isBusy, cause);
  if (waiting.length > 0)
    return stays(`${describe(waiting, nowMs)}; more machines are added after ${formatDuration(rules.waitMs)}`, nextMs);
  return planShrinking(input, nextMs);
}

function planGrowth(input: PoolInput, demand: PoolDemand, waited: readonly Shortage[], isBusy: boolean, cause: string): PoolPlan {
  const { rules, machines, nowMs } = input;
  const left = demand.left.filter(({ sinceMs }) => nowMs - sinceMs >= rules.waitMs);
  const own = machines.filter((one) => isOnItsWay(one, nowMs));
  const { machines: needed, isExact } = machinesFor(left, largestOf(machines));
  const wanted = Math.max(needed, isBusy ? machinesToCalm(machines, rules.busyShare) - own.length : 0);
  if (wanted > 0) return grow(input, { wanted, isExact, waited: needed > 0 ? left : [] }, cause);
  const late = machines.find((one) => isLate(one, nowMs));
  const coming = waited.length > 0 ? demand.onTheWay : own.map(({ name }) => name);
  if (coming.length === 0) return stays(late === undefined ? `${cause}; its machines have room` : lateWords(late, nowMs), null);
  return stays(`${cause}; ${onTheWay(coming)}`, earliest(own.map(({ sinceMs }) => sinceMs + comingMs)));
}

/** Adds machines, or keeps one that was leaving, or says why neither can be. @param growth by how many; what it is for, if that is what waits */
function grow(
  input: PoolInput,
  { wanted, isExact, waited }: { readonly wanted: number; readonly isExact: boolean; readonly waited: readonly Shortage[] },
  cause: string,
): PoolPlan {
  const { name, rules, machines, nowMs, given } = input;
  const back = machines.find(({ state, trouble }) => state === "leaving" && trouble === null);
  if (back !== undefined) return acts({ kind: "stay", machine: back.name, reason: cause });
  const late = machines.find((one) => isLate(one, nowMs));
  if (late !== undefined) return stays(lateWords(late, nowMs), null);
  const ask = (why: string): PoolPlan => {
    const size = largestOf(machines);
    const what = `${wanted === 1 ? "add 1 machine" : `add ${wanted} machines`}${size === null ? "" : ` of ${sizeFor(size, waited)}`}${isExact ? "" : " or more"}`;
    return { ...stays(`${cause}; ${why}`, null), need: { machines: wanted, words: `${what} to pool ${name}: ${cause}` } };
  };
  if (rules.grow === "ask") return ask("its rules ask before they add machines");
  const there = machines.filter((one) => !isMissing(one, input));
  const room = rules.max - there.length;
  if (room <= 0) return ask(`it has ${there.length === 1 ? "1 machine" : `${there.length} machines`}, the most that it may have`);
  const recent = input.addedAtMs.filter((atMs) => nowMs - atMs < hourMs);
  if (recent.length >= mostAddedPerHour)
    return ask(`${recent.length} machines were added within an hour, and more are not without a person`);
  const free = freeNames(input, Math.min(wanted, room, mostAddedPerHour - recent.length));
  if (free.length === 0) return ask(`none of its other ${(given?.count ?? 0) - there.length} machines can be had now`);
  const coming = machines.filter(({ state }) => state === "coming");
  const kept = there.filter(({ state }) => state === "kept").length;
  // Up to its least at once: that many were asked for by a person.
  const atOnce = Math.max(kept, rules.min - kept, 1) - coming.length;
  if (atOnce <= 0) return stays(`${cause}; ${onTheWay(coming.map((one) => one.name))}`, null);
  return acts({ kind: "add", machines: free.slice(0, atOnce), reason: cause });
}

/** Names for so many more machines: those that should be there and are not, then the lowest numbers that are free. */
function freeNames(input: PoolInput, count: number): readonly MachineId[] {
  const { name, machines, given } = input;
  const names = machines.flatMap((one) => (isMissing(one, input) && given?.unusable.has(one.name) !== true ? one.name : []));
  const taken = new Set(machines.map((one) => one.name));
  const last = given === null ? machines.length + count : given.count;
  for (let number = 1; number <= last && names.length < count; number++) {
    const machine = machineOf(name, number);
    if (!taken.has(machine) && given?.unusable.has(machine) !== true) names.push(machine);
  }
  return names.slice(0, count);
}

/** How many machines fewer than its least there are or come, where nobody else makes them. */
function lackingOf(input: PoolInput): number {
  const there = input.machines.filter((one) => !isOnItsWayOut(one.state) && !isMissing(one, input));
  return input.isMended ? 0 : input.rules.min - there.length;
}

/** Whether it should be there, is not, and nobody but the rules makes it. */
function isMissing({ state, isAbsent }: PoolMachine, { isMended }: PoolInput): boolean {
  return state === "kept" && isAbsent && !isMended;
}

function planShrinking(input: PoolInput, nextMs: number | null): PoolPlan {
  const { rules, machines, nowMs } = input;
  const moving = machines.find(({ state }) => state !== "kept");
  if (moving !== undefined) {
    const there = machines.filter(({ state }) => !isOnItsWayOut(state));
    const isVain = moving.state === "coming" && (moving.trouble !== null || isLate(moving, nowMs));
    if (isVain && there.length > rules.min)
      return acts({ kind: "leave", machine: moving.name, reason: `${moving.name} has not come, and nothing waits for it any more` });
    return stays(`${moving.name} is ${moving.state === "coming" ? "on its way" : "drained and then taken away"}`, nextMs);
  }
  const kept = machines.map((machine) => ({ machine, leaving: leavingOf(machine, input, []) }));
  const free = kept.flatMap(({ machine, leaving }) => ("atMs" in leaving ? { machine, atMs: leaving.atMs } : []));
  const due = free.filter(({ atMs }) => atMs <= nowMs).at(-1)?.machine;
  if (due !== undefined) return acts({ kind: "leave", machine: due.name, reason: `${due.name} ${idleFor(due, nowMs)}` });
  if (free.length > 0)
    return stays(
      `${free.map(({ machine }) => machine.name).join(", ")} ${free.length === 1 ? "runs" : "run"} nothing, and not for long`,
      earliest([nextMs, ...free.map(({ atMs }) => atMs)]),
    );
  const idle = kept.find(({ machine }) => machine.idleSinceMs !== null) ?? kept[0];
  if (idle === undefined || !("not" in idle.leaving)) return stays("it has what is needed", nextMs);
  const isAll = idle.machine.idleSinceMs === null;
  return stays(
    `it has what is needed${isAll ? ", and every machine runs something" : `; ${idle.machine.name} stays: ${idle.leaving.not}`}`,
    nextMs,
  );
}

function isLate({ state, sinceMs }: PoolMachine, nowMs: number): boolean {
  return state === "coming" && nowMs - sinceMs >= comingMs;
}

function lateWords({ name, sinceMs, trouble }: PoolMachine, nowMs: number): string {
  const why = trouble === null ? "" : ` (${trouble})`;
  return `${name} was to come ${minutes(nowMs - sinceMs)} ago and has not${why}, so nothing more is added until it has`;
}

function onTheWay(machines: readonly MachineId[]): string {
  return `${machines.join(", ")} ${machines.length === 1 ? "is" : "are"} on the way`;
}

function stays(why: string, replanAtMs: number | null): PoolPlan {
  return { actions: [], why, need: null, replanAtMs };
}

function acts(action: PoolAction): PoolPlan {
  return { actions: [action], why: action.reason, need: null, replanAtMs: null };
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}
