import { formatSize } from "#model/quantities.ts";

/** Instances of one process for which there is no room. */
export interface Shortage {
  /** Such as `shop.web`. */
  readonly name: string;
  readonly instances: number;
  /** Of each; 0: nothing is reserved. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Since when, in epoch milliseconds. */
  readonly sinceMs: number;
}

interface Room {
  readonly cores: number;
  readonly memoryBytes: number;
}

/**
 * How many empty machines of a size would take what has no room on those that there are, each being put on the first that has room, the largest first.
 * @param free what there is: what was made a moment ago has room that nobody was placed on yet
 * @param size null: nothing is known of how large machines are, so that one is a beginning
 */
export function machinesFor(
  shortages: readonly Shortage[],
  free: readonly Room[],
  size: Room | null,
): { readonly machines: number; readonly isExact: boolean } {
  if (size === null) return { machines: shortages.length === 0 ? 0 : 1, isExact: false };
  const sorted = [...shortages].sort((a, b) => b.cores - a.cores || b.memoryBytes - a.memoryBytes);
  const machines = free.map((room) => ({ ...room }));
  for (const { instances, cores, memoryBytes } of sorted) {
    let left = instances;
    for (const machine of machines) left -= put(machine, left, cores, memoryBytes);
    while (left > 0) {
      const machine = { ...size };
      const taken = put(machine, left, cores, memoryBytes);
      // What would not even fit on an empty one needs another kind of machine.
      if (taken === 0) break;
      machines.push(machine);
      left -= taken;
    }
  }
  return { machines: machines.length - free.length, isExact: true };
}

/** Fills a machine, and says how many it took. */
function put(machine: { cores: number; memoryBytes: number }, most: number, cores: number, memoryBytes: number): number {
  // A sliver is forgiven, because sums of fractions of cores are not exact.
  const fits = (free: number, each: number) => (each === 0 ? most : Math.floor(free / each + 1e-9));
  const count = Math.max(0, Math.min(most, fits(machine.cores, cores), fits(machine.memoryBytes, memoryBytes)));
  machine.cores -= count * cores;
  machine.memoryBytes -= count * memoryBytes;
  return count;
}

export function words({ cores, memoryBytes }: Pick<Shortage, "cores" | "memoryBytes">): string {
  const parts = [...(cores === 0 ? [] : [`${cores} CPU`]), ...(memoryBytes === 0 ? [] : [`${formatSize(memoryBytes)} of memory`])];
  return parts.length === 0 ? "a machine" : parts.join(" and ");
}
