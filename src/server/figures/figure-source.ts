import type { Aggregate, FigureFunction, MetricAnswer, MetricLabelsView, MetricNameView } from "#model/api-metrics.ts";
import { DroverError } from "#model/errors.ts";
import { nearest } from "../manifests/problems.ts";
import type { Kind, Series } from "./series.ts";

/** A label that series must have, or must not. */
export interface Match {
  readonly label: string;
  readonly isEqual: boolean;
  readonly value: string;
}

/** What somebody asks of figures over time; null: what is usual. */
export interface MetricQuery {
  readonly name: string;
  readonly matches: readonly Match[];
  readonly fn: FigureFunction | null;
  readonly aggregate: Aggregate | null;
  readonly by: readonly string[] | null;
  readonly quantile: number;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly stepMs: number | null;
}

/** Whether things of this space are told; null: those of the installation. */
export type Sees = (space: string | null) => boolean;

/** Who answers questions about figures over time. */
export interface FigureSource {
  names(sees: Sees, signal: AbortSignal): Promise<readonly MetricNameView[]>;
  /** @throws {DroverError} METRIC_NOT_FOUND */
  labels(name: string, matches: readonly Match[], sees: Sees, signal: AbortSignal): Promise<MetricLabelsView>;
  /** @throws {DroverError} METRIC_NOT_FOUND, REQUEST_INVALID if it asks for too much */
  query(query: MetricQuery, sees: Sees, signal: AbortSignal): Promise<MetricAnswer>;
}

/** Points of one series: more than any screen has. */
const mostPoints = 2_000;
/** Points that a graph gets that asks for no step. */
const usualPoints = 240;
const usualRangeMs = 3_600_000;
/** Steps that people can say. */
const steps = [15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400].map((seconds) => seconds * 1_000);
/** Series of an answer: more lines than a person tells apart. */
const mostAnswered = 200;
/** Values of one label. */
export const mostValues = 1_000;

/**
 * The points that are asked for, at whole steps; the last one may be of a step that is not over. @param finestMs what the figures of a moment allow at the least
 * @throws {DroverError} REQUEST_INVALID
 */
export function pointsOf(
  query: Pick<MetricQuery, "fromMs" | "toMs" | "stepMs">,
  nowMs: number,
  finestMs: (fromMs: number) => number,
): { readonly fromMs: number; readonly toMs: number; readonly stepMs: number } {
  const toMs = Math.min(query.toMs ?? nowMs, nowMs);
  const fromMs = query.fromMs ?? toMs - usualRangeMs;
  if (fromMs >= toMs)
    throw new DroverError("REQUEST_INVALID", "the time asked for ends before it begins", {
      hint: "Give fromMs before toMs and before now.",
    });
  const least = finestMs(fromMs);
  const wanted =
    query.stepMs ?? steps.find((step) => (toMs - fromMs) / step <= usualPoints + 1) ?? Math.ceil((toMs - fromMs) / usualPoints);
  const stepMs = Math.ceil(Math.max(wanted, least) / least) * least;
  if ((toMs - fromMs) / stepMs > mostPoints)
    throw new DroverError("REQUEST_INVALID", `${Math.ceil((toMs - fromMs) / stepMs)} points are more than ${mostPoints}`, {
      hint: "Ask for a longer step or a shorter time.",
    });
  return { fromMs: Math.ceil(fromMs / stepMs) * stepMs, toMs: Math.ceil(toMs / stepMs) * stepMs, stepMs };
}

export function isMatched({ labels }: Pick<Series, "labels">, matches: readonly Match[]): boolean {
  return matches.every(({ label, isEqual, value }) => ((labels[label] ?? "") === value) === isEqual);
}

/** Whoever may see one space alone is told of machines, as `/metrics` does, and not what is wrong with the installation. */
export function isVisible({ name, labels }: Pick<Series, "name" | "labels">, sees: Sees): boolean {
  return labels["space"] === undefined ? name !== "drover_problems" || sees(null) : sees(labels["space"]);
}

/** @param told what whoever asks may see */
export function metricNotFound(name: string, told: readonly Pick<MetricNameView, "name">[]): DroverError {
  const close = nearest(
    name,
    told.map((one) => one.name),
  );
  const meant = close === null ? "" : `Did you mean "${close}"? `;
  return new DroverError("METRIC_NOT_FOUND", `there is no metric "${name}"`, {
    hint: `${meant}"drover metrics ls" lists those that there are.`,
  });
}

/** The largest first, as an answer holds them. */
export function largestFirst(
  all: readonly { readonly labels: Series["labels"]; readonly values: Iterable<number> }[],
): Pick<MetricAnswer, "series" | "leftOut"> {
  const known = all.map(({ labels, values }) => {
    const points = Array.from(values, (value) => (Number.isFinite(value) ? value : null));
    const numbers = points.filter((value) => value !== null);
    return {
      labels: { ...labels },
      values: points,
      weight: numbers.reduce((sum, value) => sum + value, 0) / numbers.length,
      count: numbers.length,
    };
  });
  const told = known.filter(({ count }) => count > 0).sort((a, b) => b.weight - a.weight);
  return {
    series: told.slice(0, mostAnswered).map(({ labels, values }) => ({ labels, values })),
    leftOut: Math.max(0, told.length - mostAnswered),
  };
}

/** How a name is shown: the parts of a histogram as one. */
export function viewNames(
  known: ReadonlyMap<string, Kind>,
  live: Iterable<Series>,
  helpOf: (name: string) => string | null,
): readonly MetricNameView[] {
  const of = new Map<string, { series: number; readonly labels: Set<string> }>();
  for (const { name, labels } of live) {
    let entry = of.get(name);
    if (entry === undefined) of.set(name, (entry = { series: 0, labels: new Set() }));
    entry.series++;
    for (const label in labels) entry.labels.add(label);
  }
  const views: MetricNameView[] = [];
  for (const [name, kind] of known) {
    const base = histogramOf(name, known);
    if (base !== null && !name.endsWith("_bucket")) continue;
    const { series = 0, labels = [] } = of.get(base === null ? name : `${base}_count`) ?? {};
    views.push({ name: base ?? name, type: base === null ? kind : "histogram", help: helpOf(base ?? name), labels: [...labels], series });
  }
  return views.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The histogram that a series is part of; null if it is none. */
function histogramOf(name: string, known: ReadonlyMap<string, unknown>): string | null {
  const base = /^(.+)_(?:bucket|sum|count)$/.exec(name)?.[1];
  return base !== undefined && known.has(`${base}_bucket`) ? base : null;
}
