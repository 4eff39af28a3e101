import { formatDuration } from "#model/quantities.ts";
import { type PoolInput, type PoolMachine, shareOf } from "./pool.ts";
import type { Shortage } from "./shortage.ts";
import { percent } from "./words.ts";

/** When a machine may be taken away as things are, in epoch milliseconds; or why it is not, in words. */
export type Leaving = { readonly atMs: number } | { readonly not: string };

/** What stays has to be so far below the share at which machines are added that nothing is taken away to be added again. */
const calmPart = 0.8;

/** Whether and when the rules take a machine away that should be there. What keeps this one comes first, then what keeps all. */
export function leavingOf(machine: PoolMachine, input: PoolInput, waiting: readonly Shortage[]): Leaving {
  const not = ownReason(machine, input) ?? poolReason(machine, input, waiting);
  if (not !== null) return { not };
  return { atMs: Math.max(machine.idleSinceMs ?? 0, input.changedAtMs ?? 0) + (input.rules.idleMs ?? 0) };
}

function ownReason({ isAbsent, keptBy, room, idleSinceMs, trouble }: PoolMachine, { given }: PoolInput): string | null {
  if (isAbsent) return "it is not there";
  if (keptBy !== null) return keptBy;
  if (room === null) return "its agent does not answer";
  if (room.instances > 0 || idleSinceMs === null)
    return room.instances === 1 ? "it runs 1 instance" : `it runs ${room.instances} instances`;
  // Somebody looks at it, or keeps it from work for a reason of theirs.
  if (!room.isOpen) return "somebody said that it takes nothing new";
  return given !== null && trouble !== null ? trouble : null;
}

function poolReason(machine: PoolMachine, { rules, machines, heldBy }: PoolInput, waiting: readonly Shortage[]): string | null {
  if (rules.idleMs === null) return "its rules take nothing away";
  const kept = machines.filter(({ state }) => state === "kept");
  if (kept.length <= rules.min) return `${rules.min === 1 ? "1 machine is" : `${rules.min} machines are`} the least`;
  if (heldBy !== null) return heldBy;
  if (waiting.length > 0) return "something waits for room";
  const share = rules.busyShare;
  if (shareOf(machines.filter((one) => one !== machine)) > share * calmPart)
    return `without it the others would be close to ${percent(share)} of what they have`;
  return null;
}

export function idleFor({ idleSinceMs }: PoolMachine, nowMs: number): string {
  return `has run nothing for ${formatDuration(Math.floor((nowMs - (idleSinceMs ?? nowMs)) / 1_000) * 1_000)}`;
}
