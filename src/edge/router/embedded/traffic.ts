import type { RouteId } from "#model/names.ts";
import { latencyBoundsMs, type Route, type TargetTraffic } from "#model/routing-table.ts";

/** Counters of releases that left the table are told for a while longer: enough for every deploy between two questions. */
const remembered = 1_000;

/** Counts for one route and release, since the edge started. */
export class TargetCounters {
  readonly route: RouteId;
  readonly release: number;
  requests = 0;
  errors = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly latency: number[] = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  latencySumMs = 0;
  readonly classes: number[] = [0, 0, 0, 0, 0];

  constructor(route: RouteId, release: number) {
    this.route = route;
    this.release = release;
  }

  /** One request is over. `status` 0: it got no answer. */
  count(status: number, tookMs: number): void {
    this.requests++;
    this.latencySumMs += tookMs;
    if (status === 0 || status >= 500) this.errors++;
    let bucket = 0;
    while (bucket < latencyBoundsMs.length && tookMs > (latencyBoundsMs[bucket] as number)) bucket++;
    if (status >= 100) this.classes[(status / 100 - 1) | 0] = (this.classes[(status / 100 - 1) | 0] as number) + 1;
    this.latency[bucket] = (this.latency[bucket] as number) + 1;
  }
}

export class Traffic {
  readonly #counters = new Map<string, TargetCounters>();
  readonly #left = new Set<string>();

  counters(route: Route, release: number): TargetCounters {
    const key = `${route.id}\n${release}`;
    this.#left.delete(key);
    let counters = this.#counters.get(key);
    if (counters === undefined) {
      counters = new TargetCounters(route.id, release);
      this.#counters.set(key, counters);
    }
    return counters;
  }

  left(counters: TargetCounters): void {
    const key = `${counters.route}\n${counters.release}`;
    this.#left.add(key);
    if (this.#left.size <= remembered) return;
    for (const oldest of this.#left) {
      this.#left.delete(oldest);
      this.#counters.delete(oldest);
      return;
    }
  }

  /** The counters themselves, which go on counting. */
  live(): Iterable<TargetTraffic> {
    return this.#counters.values();
  }

  read(): readonly TargetTraffic[] {
    return [...this.#counters.values()].map(({ route, release, requests, errors, bytesIn, bytesOut, latency, latencySumMs, classes }) => ({
      route,
      release,
      requests,
      errors,
      bytesIn,
      bytesOut,
      latency: [...latency],
      latencySumMs,
      classes: [...classes],
    }));
  }
}
