import { keyOf, type Sample } from "../figures/series.ts";
import { boundText, type FigureSink } from "./exposition.ts";
import { families, type HistogramFamily, type LabelsOf, type PlainFamily } from "./families.ts";

/** All figures of one moment, for the store that follows them. A histogram is a counter for each bucket, their sum and their count. */
export class Moment implements FigureSink {
  readonly samples: Sample[] = [];

  add<F extends PlainFamily>(name: F, labels: LabelsOf<F>, value: number): void {
    this.#push(name, families[name].type, labels, value);
  }

  histogram<F extends HistogramFamily>(
    name: F,
    labels: LabelsOf<F>,
    boundsSeconds: readonly number[],
    counts: readonly number[],
    sumSeconds: number | null,
  ): void {
    let total = 0;
    for (const [i, count] of counts.entries()) {
      total += count;
      this.#push(`${name}_bucket`, "counter", { ...labels, le: boundText(boundsSeconds[i]) }, total);
    }
    if (sumSeconds !== null) this.#push(`${name}_sum`, "counter", labels, sumSeconds);
    this.#push(`${name}_count`, "counter", labels, total);
  }

  #push(name: string, kind: Sample["kind"], labels: Sample["labels"], value: number): void {
    this.samples.push({ name, kind, labels, value, key: keyOf({ name, labels }) });
  }
}
