import type { Aggregate, FigureFunction } from "#model/api-metrics.ts";
import type { Kind, Series } from "./series.ts";

/** What is to be made of samples. */
export interface Question {
  readonly fn: FigureFunction;
  /** How series that share the labels of `by` become one; null: each stays by itself. */
  readonly aggregate: Aggregate | null;
  readonly by: readonly string[];
  /** For `quantile`, 0 to 1. */
  readonly quantile: number;
  /** Epoch milliseconds of the first point and the last, multiples of `stepMs`. Each point stands for the step that ends with it. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

export interface Result {
  readonly labels: Readonly<Record<string, string>>;
  /** NaN: not known. */
  readonly values: Float64Array;
}

/** A counter that was not seen for so long may have done anything meanwhile. Two steps of the coarsest level are bridged. */
const longestGapMs = 600_000;

/** Folds samples, series by series, into the points of the question. Pure but for what it was given. */
export class Evaluation {
  readonly #question: Question;
  readonly #length: number;
  readonly #folds = new Map<string, { readonly series: Series; readonly fold: Fold }>();

  constructor(question: Question) {
    this.#question = question;
    this.#length = Math.floor((question.toMs - question.fromMs) / question.stepMs) + 1;
  }

  get seriesCount(): number {
    return this.#folds.size;
  }

  /** Samples of one series that begin after those that it was given before; earlier ones are left out. */
  add(key: string, series: Series, times: readonly number[], values: Float64Array): void {
    let known = this.#folds.get(key);
    if (known === undefined) this.#folds.set(key, (known = { series, fold: foldOf(this.#question, this.#length) }));
    for (const [i, atMs] of times.entries()) known.fold.add(atMs, values[i] as number);
  }

  results(): readonly Result[] {
    const { fn, aggregate, by, quantile } = this.#question;
    const each = [...this.#folds.values()].map(({ series, fold }) => ({ labels: series.labels, values: fold.values() }));
    if (fn === "quantile") return quantiles(each, aggregate === null ? null : by, quantile, this.#length);
    return aggregate === null ? each : aggregated(each, by, aggregate, this.#length);
  }
}

/** The function that a graph of such a figure shows when none is asked for. */
export function defaultFunction(kind: Kind): FigureFunction {
  return kind === "counter" ? "rate" : "avg";
}

interface Fold {
  add(atMs: number, value: number): void;
  values(): Float64Array;
}

function foldOf(question: Question, length: number): Fold {
  const { fn } = question;
  return fn === "rate" || fn === "increase" || fn === "quantile" ? new CounterFold(question, length) : new GaugeFold(question, fn, length);
}

/** What a counter grew by, spread evenly between two samples, so that neither a missed sample nor a coarse level makes a spike. */
class CounterFold implements Fold {
  readonly #question: Question;
  readonly #grown: Float64Array;
  /** How much of each step lies between samples: of the first and the last it may be a part. */
  readonly #knownMs: Float64Array;
  #atMs = Number.NEGATIVE_INFINITY;
  #value = 0;

  constructor(question: Question, length: number) {
    this.#question = question;
    this.#grown = new Float64Array(length).fill(Number.NaN);
    this.#knownMs = new Float64Array(length);
  }

  add(atMs: number, value: number): void {
    if (Number.isNaN(value) || atMs <= this.#atMs) return;
    const [sinceMs, before] = [this.#atMs, this.#value];
    [this.#atMs, this.#value] = [atMs, value];
    if (atMs - sinceMs > longestGapMs) return;
    // One that fell was begun anew at zero.
    const grown = value >= before ? value - before : value;
    const { fromMs, stepMs } = this.#question;
    const first = Math.max(0, Math.floor((sinceMs - fromMs) / stepMs) + 1);
    const last = Math.min(this.#grown.length - 1, Math.ceil((atMs - fromMs) / stepMs));
    for (let i = first; i <= last; i++) {
      const endMs = fromMs + i * stepMs;
      const withinMs = Math.min(atMs, endMs) - Math.max(sinceMs, endMs - stepMs);
      const share = withinMs / (atMs - sinceMs);
      this.#knownMs[i] = (this.#knownMs[i] as number) + withinMs;
      const known = this.#grown[i] as number;
      this.#grown[i] = (Number.isNaN(known) ? 0 : known) + grown * share;
    }
  }

  values(): Float64Array {
    return this.#question.fn === "rate" ? this.#grown.map((grown, i) => grown / ((this.#knownMs[i] as number) / 1_000)) : this.#grown;
  }
}

class GaugeFold implements Fold {
  readonly #question: Question;
  readonly #fn: FigureFunction;
  readonly #result: Float64Array;
  readonly #counts: Uint32Array;
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(question: Question, fn: FigureFunction, length: number) {
    this.#question = question;
    this.#fn = fn;
    this.#result = new Float64Array(length).fill(Number.NaN);
    this.#counts = new Uint32Array(length);
  }

  add(atMs: number, value: number): void {
    if (Number.isNaN(value) || atMs <= this.#atMs) return;
    this.#atMs = atMs;
    const i = Math.ceil((atMs - this.#question.fromMs) / this.#question.stepMs);
    if (i < 0 || i >= this.#result.length) return;
    const before = this.#result[i] as number;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#result[i] = Number.isNaN(before)
      ? value
      : combine(this.#fn === "last" ? "last" : this.#fn === "avg" ? "sum" : this.#fn, before, value);
  }

  values(): Float64Array {
    return this.#fn === "avg" ? this.#result.map((sum, i) => sum / (this.#counts[i] as number)) : this.#result;
  }
}

function combine(how: FigureFunction | Aggregate, before: number, value: number): number {
  switch (how) {
    case "max":
      return Math.max(before, value);
    case "min":
      return Math.min(before, value);
    case "last":
      return value;
    default:
      return before + value;
  }
}

function labelsOf(labels: Result["labels"], by: readonly string[]): Result["labels"] {
  return Object.fromEntries(by.flatMap((label) => (labels[label] === undefined ? [] : [[label, labels[label]]])));
}

function groupsOf(
  each: readonly Result[],
  labels: (one: Result) => Result["labels"],
): Iterable<{ labels: Result["labels"]; members: Result[] }> {
  const groups = new Map<string, { labels: Result["labels"]; members: Result[] }>();
  for (const one of each) {
    const of = labels(one);
    const key = JSON.stringify(of);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: of, members: [one] });
    else group.members.push(one);
  }
  return groups.values();
}

function aggregated(each: readonly Result[], by: readonly string[], how: Aggregate, length: number): readonly Result[] {
  return Array.from(
    groupsOf(each, ({ labels }) => labelsOf(labels, by)),
    ({ labels, members }) => {
      const values = new Float64Array(length).fill(Number.NaN);
      for (let i = 0; i < length; i++) {
        let [count, total] = [0, Number.NaN];
        for (const member of members) {
          const value = member.values[i] as number;
          if (Number.isNaN(value)) continue;
          total = count++ === 0 ? value : combine(how, total, value);
        }
        values[i] = how === "avg" ? total / count : total;
      }
      return { labels, values };
    },
  );
}

/** From buckets, each of which counts all that is at or below its label `le`. @param by null: all labels but `le` */
function quantiles(each: readonly Result[], by: readonly string[] | null, share: number, length: number): readonly Result[] {
  const groups = groupsOf(each, ({ labels: { le: _, ...rest } }) => (by === null ? rest : labelsOf(rest, by)));
  return Array.from(groups, ({ labels, members }) => {
    const buckets = [...Map.groupBy(members, (member) => boundOf(member.labels["le"]))]
      .map(([bound, of]) => ({ bound, of }))
      .sort((a, b) => a.bound - b.bound);
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const counts = buckets.map(({ bound, of }) => ({
        bound,
        count: of.reduce((sum, { values: counted }) => sum + (Number.isNaN(counted[i]) ? 0 : (counted[i] as number)), 0),
      }));
      values[i] = quantileOf(counts, share);
    }
    return { labels, values };
  });
}

function boundOf(le: string | undefined): number {
  return le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
}

/**
 * As `histogram_quantile` of Prometheus: evenly spread within a bucket, the highest bound for what is beyond it, NaN where nothing was counted.
 * https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function quantileOf(buckets: readonly { readonly bound: number; readonly count: number }[], share: number): number {
  const total = buckets.at(-1)?.count ?? 0;
  if (!(total > 0)) return Number.NaN;
  const wanted = share * total;
  const at = buckets.findIndex(({ count }) => count >= wanted);
  const { bound, count } = buckets[at] ?? { bound: Number.NaN, count: 0 };
  const below = buckets[at - 1] ?? { bound: 0, count: 0 };
  if (bound === Number.POSITIVE_INFINITY) return at === 0 ? Number.NaN : below.bound;
  return count === below.count ? bound : below.bound + (bound - below.bound) * ((wanted - below.count) / (count - below.count));
}
