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
  /** Whether what it runs is to go elsewhere. */
  readonly isDraining: boolean;
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
 * most of the process, then where the order is oldest, as on a machine that comes back to find its work done by others. What is on a machine that drains
 * goes as soon as as many are ready elsewhere.
 */
export function shareOut({ parts, total, room, beside }: ShareInput): Shares {
  const keep = new Map(parts.map(({ machine, count }) => [machine, count]));
  const draining = parts.filter((part) => part.isDraining && part.isReachable && part.count > 0);
  const staying = parts.filter((part) => !draining.includes(part));
  const stay = sum(staying, "count");
  const move = sum(draining, "count");
  const wanted = total - stay;
  // Without anything that moves, what is missing may be there at once; else one step at a time.
  const more = Math.max(0, Math.min(wanted, total - stay - move + Math.max(0, Math.min(room, move))));
  if (stay > total) takeAway(staying, stay - total, keep, beside);
  const needed = Math.max(0, total - Math.min(sum(staying, "ready"), total));
  if (move > needed) takeAway(draining, move - needed, keep, beside);
  return { keep, more };
}

function takeAway(parts: readonly Part[], count: number, keep: Map<MachineId, number>, beside: ReadonlyMap<MachineId, number>): void {
  const left = parts
    .filter(({ isReachable, count: own }) => isReachable && own > 0)
    .map((part) => ({ part, unready: part.count - part.ready, crowd: beside.get(part.machine) ?? part.count }));
  for (let taken = 0; taken < count; taken++) {
    let worst: (typeof left)[number] | null = null;
    for (const one of left) {
      if ((keep.get(one.part.machine) ?? 0) > 0 && (worst === null || isWorse(one, worst))) worst = one;
    }
    if (worst === null) return;
    keep.set(worst.part.machine, (keep.get(worst.part.machine) ?? 0) - 1);
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

function sum(parts: readonly Part[], field: "count" | "ready"): number {
  return parts.reduce((total, part) => total + part[field], 0);
}
