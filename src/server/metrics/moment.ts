import type { AppMetric } from "#model/app-metrics.ts";
import { keyOf, type Sample } from "../figures/series.ts";
import { ownedLabels } from "./app-metrics.ts";
import { type FigureSink, histogramParts } from "./exposition.ts";
import { families, type HistogramFamily, type LabelsOf, type PlainFamily } from "./families.ts";

/** All figures of one moment, for the store that follows them. A histogram is a counter for each bucket, their sum and their count. */
export class Moment implements FigureSink {
  readonly samples: Sample[] = [];

  add<F extends PlainFamily>(name: F, labels: LabelsOf<F>, value: number, zeroAtMs: number | null = null): void {
    this.#push(name, families[name].type, labels, value, zeroAtMs);
  }

  histogram<F extends HistogramFamily>(
    name: F,
    labels: LabelsOf<F>,
    boundsSeconds: readonly number[],
    counts: readonly number[],
    sumSeconds: number | null,
    zeroAtMs: number | null = null,
  ): void {
    for (const [part, partLabels, value] of histogramParts(name, labels, boundsSeconds, counts, sumSeconds))
      this.#push(part, "counter", partLabels, value, zeroAtMs);
  }

  ofApp({ name, type, samples }: AppMetric, own: Readonly<Record<string, string>>, zeroAtMs: number | null = null): void {
    for (const [sample, labels, value] of samples)
      this.#push(sample, kindOf(name, type, sample), ownedLabels(labels, own), value, zeroAtMs);
  }

  #push(name: string, kind: Sample["kind"], labels: Sample["labels"], value: number, zeroAtMs: number | null): void {
    this.samples.push({ name, kind, labels, value, key: keyOf({ name, labels }), ...(zeroAtMs === null ? {} : { zeroAtMs }) });
  }
}

/** What only grows: counters, the parts of a histogram, sum and count of a summary, and what is called so by those who declare nothing. */
function kindOf(name: string, type: AppMetric["type"], sample: string): Sample["kind"] {
  const isCounter =
    type === "counter" ||
    type === "histogram" ||
    (type === "summary" && sample !== name) ||
    (type === "untyped" && sample.endsWith("_total"));
  return isCounter ? "counter" : "gauge";
}
