import type { MachineId } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import { idleFor, leavingOf } from "./leaving.ts";
import { comingMs, type PoolInput, type PoolMachine, sharesOf } from "./pool.ts";
import type { Shortage } from "./shortage.ts";
import { describe, minutes, percent, within } from "./words.ts";

/** What a pool's rules see at a look, for people: why each of them acts or does not. */
export interface PoolSights {
  /** Of the rule that grows by what waits. */
  readonly waiting: string;
  /** Of the rule that grows by how full its machines are. */
  readonly busy: string;
  /** What is intended with each machine, in words that go on after its name. */
  readonly machines: ReadonlyMap<MachineId, string>;
}

/** @param waiting what waits for room that the pool's machines could give */
export function sightsOf(input: PoolInput, waiting: readonly Shortage[]): PoolSights {
  return {
    waiting: waitingWords(input, waiting),
    busy: busyWords(input),
    machines: new Map(input.machines.map((machine) => [machine.name, intentOf(machine, input, waiting)])),
  };
}

function waitingWords({ rules, nowMs }: PoolInput, waiting: readonly Shortage[]): string {
  if (waiting.length === 0) return "nothing waits for room";
  const firstMs = Math.min(...waiting.map(({ sinceMs }) => sinceMs)) + rules.waitMs - nowMs;
  return `${describe(waiting, nowMs)}; machines are added after ${formatDuration(rules.waitMs)}${firstMs <= 0 ? "" : `, in ${within(firstMs)}`}`;
}

function busyWords({ rules, machines, busySinceMs, nowMs }: PoolInput): string {
  const { cores, memory } = sharesOf(machines);
  const now = `${percent(cores)} of CPU and ${percent(memory)} of memory are reserved`;
  const rule = `above ${percent(rules.busyShare)} for ${formatDuration(rules.busyMs)} machines are added`;
  if (busySinceMs === null) return `${now}; ${rule}`;
  const leftMs = busySinceMs + rules.busyMs - nowMs;
  return `${now}, for ${minutes(nowMs - busySinceMs)}; ${rule}${leftMs <= 0 ? "" : `, in ${within(leftMs)}`}`;
}

function intentOf(machine: PoolMachine, input: PoolInput, waiting: readonly Shortage[]): string {
  const { state, sinceMs, trouble } = machine;
  const { nowMs } = input;
  switch (state) {
    case "coming":
      if (trouble !== null) return `does not come: ${trouble}`;
      return nowMs - sinceMs >= comingMs
        ? `was to come ${minutes(nowMs - sinceMs)} ago and has not`
        : `has been on its way for ${minutes(nowMs - sinceMs)}`;
    case "leaving":
      return "is drained, and then leaves";
    case "going":
      return trouble === null ? "leaves" : `does not go: ${trouble}`;
    case "kept": {
      const leaving = leavingOf(machine, input, waiting);
      if ("not" in leaving) return `stays: ${leaving.not}`;
      return `${idleFor(machine, nowMs)}, and ${leaving.atMs <= nowMs ? "leaves" : `would leave in ${within(leaving.atMs - nowMs)}`}`;
    }
    default:
      return state satisfies never;
  }
}
