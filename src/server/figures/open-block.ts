import { finest } from "./levels.ts";
import type { Sample, Series } from "./series.ts";

/** One series of the open block. */
export interface OpenSeries extends Opened {
  readonly values: Float64Array;
}

/** What the journal keeps of a series that is new. */
export interface Opened extends Series {
  readonly key: string;
  /** At the moment before its first figure it stood at zero. */
  readonly isFromZero: boolean;
}

const mostTimes = finest.blockMs / finest.stepMs;

export interface Limits {
  /** Series that are followed at once. */
  readonly series: number;
  /** Of those, what apps tell of themselves, and what one app may. */
  readonly ofApps: number;
  readonly ofApp: number;
}

/** The latest samples, in memory: a row of numbers for each series. */
export class OpenBlock {
  readonly #limits: Limits;
  readonly #series = new Map<string, OpenSeries>();
  readonly #times: number[] = [];
  readonly #ofApps = new Map<string, number>();
  #refused = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get times(): readonly number[] {
    return this.#times;
  }

  get series(): ReadonlyMap<string, OpenSeries> {
    return this.#series;
  }

  /** Series that had no place at the last moment. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Everything at one moment. A counter that is new and stood at zero at the moment before is zero there: else what it counted first would only say where it begins.
   * @param previous where that moment is when this one is the first
   */
  add(atMs: number, samples: Iterable<Sample>, previous: OpenBlock | null = null): void {
    const before = this.#times.length === 0 ? previous : this;
    // What had no place then may have counted for long.
    const zeroFromMs =
      before === null || before.#refused > 0 ? Number.POSITIVE_INFINITY : (before.#times.at(-1) ?? Number.POSITIVE_INFINITY);
    const at = this.#times.push(atMs) - 1;
    this.#refused = 0;
    for (const sample of samples) {
      let series = this.#series.get(sample.key) ?? null;
      if (series === null) {
        series = this.#admit({ ...sample, isFromZero: sample.kind === "counter" && (sample.zeroAtMs ?? 0) >= zeroFromMs });
        if (series?.isFromZero === true && before !== null) before.#standAtZero(series, zeroFromMs);
      }
      if (series === null) this.#refused++;
      else series.values[at] = sample.value;
    }
  }

  /** One row of the journal: a figure for each series, in their order. */
  restore(atMs: number, added: readonly Opened[], values: Float64Array): void {
    for (const series of added) if (this.#open(series).isFromZero) this.#standAtZero(series, this.#times.at(-1));
    const at = this.#times.push(atMs) - 1;
    let i = 0;
    for (const series of this.#series.values()) series.values[at] = values[i++] ?? Number.NaN;
  }

  /** The figures of the latest moment, in the order of the series. */
  latest(): Float64Array {
    const at = this.#times.length - 1;
    return Float64Array.from(this.#series.values(), ({ values }) => values[at] as number);
  }

  /** One that was followed here already goes on from what it was. */
  #standAtZero(series: Opened, atMs: number | undefined): void {
    const at = atMs === undefined ? -1 : this.#times.lastIndexOf(atMs);
    const { values } = this.#series.get(series.key) ?? this.#open(series);
    if (at >= 0 && values.every(Number.isNaN)) values[at] = 0;
  }

  #admit(sample: Opened): OpenSeries | null {
    const { series: most, ofApps, ofApp } = this.#limits;
    if (this.#series.size >= most) return null;
    if (isOfApp(sample)) {
      const app = appOf(sample);
      const [all, own] = [this.#ofApps.get("") ?? 0, this.#ofApps.get(app) ?? 0];
      if (all >= ofApps || own >= ofApp) return null;
    }
    return this.#open(sample);
  }

  #open({ name, kind, labels, key, isFromZero }: Opened): OpenSeries {
    const opened = { name, kind, labels, key, isFromZero, values: new Float64Array(mostTimes).fill(Number.NaN) };
    this.#series.set(key, opened);
    if (isOfApp(opened)) for (const owner of ["", appOf(opened)]) this.#ofApps.set(owner, (this.#ofApps.get(owner) ?? 0) + 1);
    return opened;
  }
}

/** Whether an app tells it of itself; Drover's own names are kept for Drover. */
function isOfApp({ name }: Series): boolean {
  return !name.startsWith("drover_");
}

function appOf({ labels }: Series): string {
  return `${labels["space"]}/${labels["app"]}`;
}
