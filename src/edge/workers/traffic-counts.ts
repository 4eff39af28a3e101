import type { TargetTraffic } from "#model/routing-table.ts";

type Counts = Record<string, number | number[]>;

const keyOf = ({ route, release }: TargetTraffic) => `${route}\n${release}`;
/** What a count belongs to and is none itself. */
const isCount = (name: string) => name !== "route" && name !== "release";

/** What was counted since the last look, of those whose requests or bytes have changed. */
export class TrafficSince {
  readonly #told = new Map<string, TargetTraffic>();

  take(all: readonly TargetTraffic[]): readonly TargetTraffic[] {
    const changed: TargetTraffic[] = [];
    const gone = new Set(this.#told.keys());
    for (const now of all) {
      const key = keyOf(now);
      const before = this.#told.get(key);
      gone.delete(key);
      if (before === undefined ? now.requests === 0 : now.requests === before.requests && now.bytesOut === before.bytesOut) continue;
      this.#told.set(key, now);
      changed.push(before === undefined ? now : combine(now, before, -1));
    }
    // The router forgets releases that left the table long ago; should one come back, it counts from nothing.
    for (const key of gone) this.#told.delete(key);
    return changed;
  }
}

/** Counters of releases that left the table are told for a while longer: enough for every deploy between two questions. */
const remembered = 1_000;

/** What all workers have counted, those that died among them: it only grows. */
export class TrafficTotals {
  readonly #totals = new Map<string, TargetTraffic>();

  add(since: readonly TargetTraffic[]): void {
    for (const counted of since) {
      const key = keyOf(counted);
      const before = this.#totals.get(key);
      this.#totals.set(key, before === undefined ? counted : combine(before, counted, 1));
    }
  }

  get size(): number {
    return this.#totals.size;
  }

  read(): readonly TargetTraffic[] {
    return [...this.#totals.values()];
  }

  /** Forgets the oldest of what is not in the table, if that is too much. */
  prune(isInTable: (counted: TargetTraffic) => boolean): void {
    const left = [...this.#totals.values()].filter((counted) => !isInTable(counted));
    for (const counted of left.slice(0, Math.max(0, left.length - remembered))) this.#totals.delete(keyOf(counted));
  }
}

/** Field by field, so that what counters there are is the router's affair alone. */
function combine(a: TargetTraffic, b: TargetTraffic, sign: 1 | -1): TargetTraffic {
  const result = { ...a } as unknown as Counts;
  for (const [name, value] of Object.entries(b as unknown as Counts)) {
    const mine = result[name];
    if (!isCount(name)) continue;
    if (typeof value === "number") result[name] = ((mine as number | undefined) ?? 0) + sign * value;
    else if (Array.isArray(value)) result[name] = value.map((count, i) => ((mine as number[] | undefined)?.[i] ?? 0) + sign * count);
  }
  return result as unknown as TargetTraffic;
}
