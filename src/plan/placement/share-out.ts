import type { MachineId } from "#model/names.ts";

/** What one machine has of a release of a process. */
export interface Part {
  readonly machine: MachineId;
  /** What it was told. */
  readonly count: number;
  readonly ready: number;
  /** Of the newest order that it has. */
  readonly revision: number;
  /** Whether it can be told anything now. */
  readonly isReachable: boolean;
  /** How many of them are to go elsewhere: all of a machine that drains, or some where there are too many. */
  readonly leaving: number;
}

export interface ShareInput {
  readonly parts: readonly Part[];
  /** How many there are to be, on all machines. */
  readonly total: number;
  /** How many more may exist for a while, so that those that move are replaced before they go. */
  readonly room: number;
  /** What is there of all releases of the process, by machine. */
  readonly beside: ReadonlyMap<MachineId, number>;
}

export interface Shares {
  /** What each machine of a part is to have; those that may have more get that by placement. */
  readonly keep: ReadonlyMap<MachineId, number>;
  /** Instances for which a place is to be found. */
  readonly more: number;
}

/**
 * Divides what a release is to have over the machines: what runs stays where it runs. What is too much goes where it is not ready, then where there is
 * most of the process, then where the order is oldest, as on a machine that comes back to find its work done by others. What is to leave
 * goes as soon as as many are ready among those that stay.
 */
export function shareOut({ parts, total, room, beside }: ShareInput): Shares {
  const keep = new Map(parts.map(({ machine, count }) => [machine, count]));
  const leave = ({ isReachable, leaving, count }: Part) => (isReachable ? Math.min(leaving, count) : 0);
  const stay = (part: Part) => part.count - leave(part);
  const staying = sum(parts, stay);
  const moving = sum(parts, leave);
  const wanted = total - staying;
  // Without anything that moves, what is missing may be there at once; else one step at a time.
  const more = Math.max(0, Math.min(wanted, wanted - moving + Math.max(0, Math.min(room, moving))));
  if (staying > total) takeAway(parts, staying - total, keep, beside, stay);
  const ready = sum(parts, (part) => Math.min(part.ready, stay(part)));
  const needed = Math.max(0, total - ready);
  if (moving > needed) takeAway(parts, moving - needed, keep, beside, leave);
  return { keep, more };
}

/** @param mostOf how many of a part may go */
function takeAway(
  parts: readonly Part[],
  count: number,
  keep: Map<MachineId, number>,
  beside: ReadonlyMap<MachineId, number>,
  mostOf: (part: Part) => number,
): void {
  const left = parts
    .filter(({ isReachable }) => isReachable)
    .map((part) => ({ part, most: mostOf(part), unready: part.count - part.ready, crowd: beside.get(part.machine) ?? part.count }));
  for (let taken = 0; taken < count; taken++) {
    let worst: (typeof left)[number] | null = null;
    for (const one of left) {
      if (one.most > 0 && (keep.get(one.part.machine) ?? 0) > 0 && (worst === null || isWorse(one, worst))) worst = one;
    }
    if (worst === null) return;
    keep.set(worst.part.machine, (keep.get(worst.part.machine) ?? 0) - 1);
    worst.most--;
    worst.unready--;
    worst.crowd--;
  }
}

interface Left {
  readonly part: Part;
  readonly unready: number;
  readonly crowd: number;
}

function isWorse(one: Left, other: Left): boolean {
  if (one.unready > 0 !== other.unready > 0) return one.unready > 0;
  if (one.crowd !== other.crowd) return one.crowd > other.crowd;
  return one.part.revision < other.part.revision;
}

function sum(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((total, part) => total + of(part), 0);
}
