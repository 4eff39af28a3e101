import { type AppMetric, type AppMetricType, type AppSample, mostSeriesOfInstance } from "#model/app-metrics.ts";
import { latencyBoundsMs } from "#model/routing-table.ts";
import { readStatsd, type StatsdEvent } from "./read-statsd.ts";

/** A set tells how many different members came within such a time; then it begins anew. */
const setWindowMs = 15_000;
/** Members of all sets of an instance within a window, of at most 200 characters each: more are not told apart. */
const mostMembers = 10_000;
const secondsBounds = latencyBoundsMs.map((ms) => ms / 1_000);
/** Of what has no unit: sizes of carts, lengths of queues, kilobytes. */
const plainBounds = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

type Kind = "count" | "gauge" | "seconds" | "none" | "set";

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

interface Histogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: number[];
  sum: number;
}

interface Members {
  readonly labels: Readonly<Record<string, string>>;
  now: Set<string>;
  before: number;
}

/** All of one name: what came first says what it is. */
interface Family {
  readonly kind: Kind;
  readonly series: Map<string, Series>;
  readonly histograms: Map<string, Histogram>;
  readonly sets: Map<string, Members>;
}

/**
 * What one instance sent by statsd, put together: counters since the listener began, so that whoever reads them may come at any time, gauges as they are,
 * timers and histograms in buckets, sets as how many different members the last whole window had. Bounded by series, and by members of sets.
 */
export class StatsdFigures {
  readonly #monotonicMs: () => number;
  readonly #families = new Map<string, Family>();
  #series = 0;
  #members = 0;
  #windowAtMs: number;
  #leftOut = 0;
  #isFull = false;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#windowAtMs = monotonicMs();
  }

  /** Lines that had no place, or were none. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Whether something had no place: then what comes new may have been sent for long. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Something was not even read. */
  leaveOut(): void {
    this.#leftOut++;
  }

  /** One packet: a line, or several. */
  take(packet: string): void {
    for (const line of packet.split("\n")) {
      // Events and checks of services are no figures.
      if (line.trim() === "" || line.startsWith("_e{") || line.startsWith("_sc|")) continue;
      const events = readStatsd(line.trim());
      if (events?.every((event) => this.#add(event)) !== true) this.#leftOut++;
    }
  }

  metrics(): readonly AppMetric[] {
    this.#turnWindow();
    return Array.from(this.#families, ([name, family]) => ({
      name,
      type: typeOf(family.kind),
      help: "",
      samples: [...samplesOf(name, family)],
    }));
  }

  #add(event: StatsdEvent): boolean {
    const kind = kindOf(event);
    // A timer is told in seconds, which its name says as those of Prometheus do.
    const name = kind === "seconds" && !event.name.endsWith("_seconds") ? `${event.name}_seconds` : event.name;
    const known = this.#families.get(name);
    if (known !== undefined && known.kind !== kind) return false;
    const key = JSON.stringify(event.labels);
    const family = known ?? { kind, series: new Map(), histograms: new Map(), sets: new Map() };
    if (!this.#place(family, key, event)) return false;
    if (known === undefined) this.#families.set(name, family);
    return true;
  }

  #place(family: Family, key: string, event: StatsdEvent): boolean {
    const { labels } = event;
    switch (event.kind) {
      case "count":
      case "set-gauge":
      case "move-gauge": {
        const series = family.series.get(key) ?? { labels, value: 0 };
        if (!family.series.has(key)) {
          if (!this.#admit(1)) return false;
          family.series.set(key, series);
        }
        series.value = event.kind === "set-gauge" ? event.to : series.value + event.by;
        return true;
      }
      case "observe": {
        const bounds = boundsOf(event.unit);
        const histogram = family.histograms.get(key) ?? { labels, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
        if (!family.histograms.has(key)) {
          if (!this.#admit(bounds.length + 3)) return false;
          family.histograms.set(key, histogram);
        }
        const at = bounds.findIndex((bound) => event.value <= bound);
        const bucket = at === -1 ? bounds.length : at;
        histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + event.weight;
        histogram.sum += event.value * event.weight;
        return true;
      }
      case "member": {
        this.#turnWindow();
        const members = family.sets.get(key) ?? { labels, now: new Set<string>(), before: 0 };
        if (!family.sets.has(key)) {
          if (!this.#admit(1)) return false;
          family.sets.set(key, members);
        }
        if (members.now.has(event.value)) return true;
        if (this.#members >= mostMembers) return false;
        members.now.add(event.value);
        this.#members++;
        return true;
      }
      default:
        return event satisfies never;
    }
  }

  #admit(series: number): boolean {
    this.#isFull ||= this.#series + series > mostSeriesOfInstance;
    if (this.#series + series > mostSeriesOfInstance) return false;
    this.#series += series;
    return true;
  }

  #turnWindow(): void {
    const windows = Math.floor((this.#monotonicMs() - this.#windowAtMs) / setWindowMs);
    if (windows === 0) return;
    this.#windowAtMs += windows * setWindowMs;
    this.#members = 0;
    for (const { sets } of this.#families.values())
      for (const members of sets.values()) {
        // In a whole window after it nothing came.
        members.before = windows === 1 ? members.now.size : 0;
        members.now = new Set();
      }
  }
}

function kindOf(event: StatsdEvent): Kind {
  if (event.kind === "observe") return event.unit;
  return event.kind === "count" ? "count" : event.kind === "member" ? "set" : "gauge";
}

function typeOf(kind: Kind): AppMetricType {
  return kind === "count" ? "counter" : kind === "seconds" || kind === "none" ? "histogram" : "gauge";
}

function boundsOf(unit: "seconds" | "none"): readonly number[] {
  return unit === "seconds" ? secondsBounds : plainBounds;
}

function* samplesOf(name: string, { kind, series, histograms, sets }: Family): Generator<AppSample, void, void> {
  for (const { labels, value } of series.values()) yield [name, labels, value];
  for (const { labels, before } of sets.values()) yield [name, labels, before];
  const bounds = kind === "seconds" || kind === "none" ? boundsOf(kind) : [];
  for (const { labels, counts, sum } of histograms.values()) {
    let below = 0;
    for (const [i, count] of counts.entries()) {
      below += count;
      yield [`${name}_bucket`, { ...labels, le: bounds[i] === undefined ? "+Inf" : String(bounds[i]) }, below];
    }
    yield [`${name}_sum`, labels, sum];
    yield [`${name}_count`, labels, below];
  }
}
