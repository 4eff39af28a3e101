import type { TargetTraffic } from "#model/routing-table.ts";

type Counts = Record<string, number | number[]>;

const keyOf = ({ route, release }: TargetTraffic) => `${route}\n${release}`;
/** What a count belongs to and is none itself. */
const isCount = (name: string) => name !== "route" && name !== "release";

/** What was counted since the last look, of those whose requests or bytes have changed. */
export class TrafficSince {
  /** By counter: one that the router forgot, and that comes back, is another one and counts from nothing. */
  readonly #told = new WeakMap<TargetTraffic, TargetTraffic>();

  /** @param all the counters themselves, which go on counting: most have not changed, and cost one look. */
  *take(all: Iterable<TargetTraffic>): Generator<TargetTraffic | null, void, void> {
    for (const counter of all) {
      const before = this.#told.get(counter);
      const isSame =
        before === undefined ? counter.requests === 0 : counter.requests === before.requests && counter.bytesOut === before.bytesOut;
      if (isSame) {
        yield null;
        continue;
      }
      const now = snapshot(counter);
      this.#told.set(counter, now);
      yield before === undefined ? now : combine(now, before, -1);
    }
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

function snapshot(counter: TargetTraffic): TargetTraffic {
  return Object.fromEntries(
    Object.entries(counter).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]),
  ) as unknown as TargetTraffic;
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
