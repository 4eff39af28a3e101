import type { PoolName } from "#model/names.ts";

export interface Size {
  readonly cores: number;
  readonly memoryBytes: number;
}

/** Instances of one process for which there is no room; of each its size, 0 where nothing is reserved. */
export interface Shortage extends Size {
  /** Such as `shop.web`. */
  readonly name: string;
  readonly instances: number;
  /** Since when, in epoch milliseconds. */
  readonly sinceMs: number;
  /** The pools of its space whose machines may run it. */
  readonly pools: ReadonlySet<PoolName>;
}

/** What one machine has room for. */
export interface PoolRoom extends Size {
  readonly pool: PoolName;
}

/** What of the shortages is left once these rooms are full: each instance is put into the first that takes it, the largest first. */
export function leftBeside<S extends Shortage>(shortages: readonly S[], rooms: readonly PoolRoom[]): readonly S[] {
  const free = rooms.map((room) => ({ ...room }));
  return largestFirst(shortages).flatMap((shortage) => {
    let left = shortage.instances;
    for (const room of free) if (shortage.pools.has(room.pool)) left -= put(room, left, shortage);
    return left === 0 ? [] : [{ ...shortage, instances: left }];
  });
}

/**
 * How many empty machines of a size would take what has no room, each instance being put on the first that takes it, the largest first.
 * @param size null: nothing is known of how large machines are, so that one is a beginning
 */
export function machinesFor(shortages: readonly Shortage[], size: Size | null): { readonly machines: number; readonly isExact: boolean } {
  if (size === null) return { machines: shortages.length === 0 ? 0 : 1, isExact: false };
  const machines: { cores: number; memoryBytes: number }[] = [];
  for (const shortage of largestFirst(shortages)) {
    let left = shortage.instances;
    for (const machine of machines) left -= put(machine, left, shortage);
    while (left > 0) {
      const machine = { ...size };
      const taken = put(machine, left, shortage);
      // What would not even fit on an empty one needs another kind of machine.
      if (taken === 0) break;
      machines.push(machine);
      left -= taken;
    }
  }
  return { machines: machines.length, isExact: true };
}

/** Whether an empty machine of the size would take one of them. */
export function fitsOn({ cores, memoryBytes }: Size, size: Size): boolean {
  return cores <= size.cores && memoryBytes <= size.memoryBytes;
}

function largestFirst<S extends Size>(shortages: readonly S[]): readonly S[] {
  return [...shortages].sort((a, b) => b.cores - a.cores || b.memoryBytes - a.memoryBytes);
}

/** Fills a machine, and says how many it took. */
function put(machine: { cores: number; memoryBytes: number }, most: number, { cores, memoryBytes }: Size): number {
  // A sliver is forgiven, because sums of fractions of cores are not exact.
  const fits = (free: number, each: number) => (each === 0 ? most : Math.floor(free / each + 1e-9));
  const count = Math.max(0, Math.min(most, fits(machine.cores, cores), fits(machine.memoryBytes, memoryBytes)));
  machine.cores -= count * cores;
  machine.memoryBytes -= count * memoryBytes;
  return count;
}
