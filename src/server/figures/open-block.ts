import { finest } from "./levels.ts";
import type { Sample, Series } from "./series.ts";

/** One series of the open block. */
export interface OpenSeries extends Series {
  readonly key: string;
  readonly values: Float64Array;
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

  /** Everything at one moment. */
  add(atMs: number, samples: Iterable<Sample>): void {
    const at = this.#times.push(atMs) - 1;
    this.#refused = 0;
    for (const sample of samples) {
      const series = this.#series.get(sample.key) ?? this.#admit(sample);
      if (series === null) this.#refused++;
      else series.values[at] = sample.value;
    }
  }

  /** One row of the journal: a figure for each series, in their order. */
  restore(atMs: number, added: readonly (Series & { readonly key: string })[], values: Float64Array): void {
    for (const series of added) this.#open(series);
    const at = this.#times.push(atMs) - 1;
    let i = 0;
    for (const series of this.#series.values()) series.values[at] = values[i++] ?? Number.NaN;
  }

  /** The figures of the latest moment, in the order of the series. */
  latest(): Float64Array {
    const at = this.#times.length - 1;
    return Float64Array.from(this.#series.values(), ({ values }) => values[at] as number);
  }

  #admit(sample: Sample): OpenSeries | null {
    const { series: most, ofApps, ofApp } = this.#limits;
    if (this.#series.size >= most) return null;
    if (isOfApp(sample)) {
      const app = appOf(sample);
      const [all, own] = [this.#ofApps.get("") ?? 0, this.#ofApps.get(app) ?? 0];
      if (all >= ofApps || own >= ofApp) return null;
    }
    return this.#open(sample);
  }

  #open({ name, kind, labels, key }: Series & { readonly key: string }): OpenSeries {
    const opened = { name, kind, labels, key, values: new Float64Array(mostTimes).fill(Number.NaN) };
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
