import type { FigureFunction, MetricAnswer, MetricLabelsView, MetricNameView } from "#model/api-metrics.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import {
  type FigureSource,
  largestFirst,
  type Match,
  type MetricQuery,
  metricNotFound,
  mostValues,
  pointsOf,
  type Sees,
} from "./figure-source.ts";
import { finest } from "./levels.ts";
import { promqlOf, selector } from "./promql.ts";

/** A graph that takes longer is one that nobody waits for. */
const answersWithinMs = 15_000;
/** Some thousand series of some hundred points. */
const longestAnswerBytes = 32 * 2 ** 20;
/** What whoever scrapes Drover adds, and what a series is called by. */
const foreignLabels = ["__name__", "job", "instance"];
/** How far back series count as being there now. */
const recentMs = 900_000;

export interface PrometheusFiguresOptions {
  /** Where its HTTP API is, such as `http://10.0.0.5:8428`. */
  readonly url: string;
  readonly clock: Clock;
  /** Of Drover's own figures, what they are. Null: none of its own. */
  readonly own: (
    name: string,
  ) => { readonly type: MetricNameView["type"]; readonly help: string; readonly labels: readonly string[] } | null;
  /** Names of all spaces. */
  readonly spaces: () => readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** Answers from a Prometheus, or from what speaks as it does, that scrapes Drover: https://prometheus.io/docs/prometheus/latest/querying/api/ */
export class PrometheusFigures implements FigureSource {
  readonly #options: PrometheusFiguresOptions;

  constructor(options: PrometheusFiguresOptions) {
    this.#options = options;
  }

  async names(sees: Sees, signal: AbortSignal): Promise<readonly MetricNameView[]> {
    const spaces = this.#spacesOf(sees);
    // Others tell it figures too: ours, and those that apps tell, have one of these.
    const matches = ['{__name__=~"drover_.+"}', selector(null, [{ label: "instance_id", isEqual: false, value: "" }], spaces)];
    const { data } = await this.#ask<{ data: string[] }>("label/__name__/values", { "match[]": matches }, signal);
    const known = new Set(data);
    const views = new Map<string, MetricNameView>();
    for (const name of data) {
      const base = name.replace(/_(?:bucket|sum|count)$/, "");
      const shown = base !== name && known.has(`${base}_bucket`) ? base : name;
      const own = this.#options.own(shown);
      const type = own?.type ?? (shown !== name ? "histogram" : name.endsWith("_total") ? "counter" : "gauge");
      views.set(shown, { name: shown, type, help: own?.help ?? null, labels: [...(own?.labels ?? [])], series: null });
    }
    return [...views.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async labels(name: string, matches: readonly Match[], sees: Sees, signal: AbortSignal): Promise<MetricLabelsView> {
    const stored = this.#options.own(name)?.type === "histogram" ? `${name}_count` : name;
    const nowMs = this.#options.clock.nowMs();
    const parameters = {
      "match[]": [selector(stored, matches, this.#spacesOf(sees))],
      start: [String((nowMs - recentMs) / 1_000)],
      end: [String(nowMs / 1_000)],
    };
    const { data } = await this.#ask<{ data: Labels[] }>("series", parameters, signal);
    if (data.length === 0) throw metricNotFound(name, await this.names(sees, signal));
    const values = new Map<string, Set<string>>();
    for (const labels of data)
      for (const [label, value] of Object.entries(labels)) {
        if (foreignLabels.includes(label)) continue;
        const known = values.get(label) ?? new Set();
        values.set(label, known);
        if (known.size < mostValues) known.add(value);
      }
    return { name, labels: Object.fromEntries(Array.from(values, ([label, of]) => [label, [...of].sort()])) };
  }

  async query(query: MetricQuery, sees: Sees, signal: AbortSignal): Promise<MetricAnswer> {
    const { name, matches, quantile } = query;
    const points = pointsOf(query, this.#options.clock.nowMs(), () => finest.stepMs);
    const fn = query.fn ?? this.#usualFunction(name);
    const aggregate = query.aggregate ?? (query.by === null ? null : "sum");
    const by = query.by ?? [];
    const { stepMs } = points;
    const expression = promqlOf({ name, matches, spaces: this.#spacesOf(sees), fn, aggregate, by, quantile, stepMs });
    const parameters = {
      query: [expression],
      start: [String(points.fromMs / 1_000)],
      end: [String(points.toMs / 1_000)],
      step: [String(stepMs / 1_000)],
    };
    const { data } = await this.#ask<{ data: { result: { metric: Labels; values: [number, string][] }[] } }>(
      "query_range",
      parameters,
      signal,
    );
    const length = Math.floor((points.toMs - points.fromMs) / stepMs) + 1;
    const series = data.result.map(({ metric, values }) => {
      const row = new Float64Array(length).fill(Number.NaN);
      for (const [seconds, text] of values) row[Math.round((seconds * 1_000 - points.fromMs) / stepMs)] = Number(text);
      return { labels: Object.fromEntries(Object.entries(metric).filter(([label]) => !foreignLabels.includes(label))), values: row };
    });
    return { name, fn, aggregate, by: [...by], ...points, source: "prometheus", ...largestFirst(series) };
  }

  #usualFunction(name: string): FigureFunction {
    const type = this.#options.own(name)?.type;
    if (type === "histogram") return "quantile";
    return type === "counter" || (type === undefined && /_(?:total|sum|count|bucket)$/.test(name)) ? "rate" : "avg";
  }

  /** Null: all of them. */
  #spacesOf(sees: Sees): readonly string[] | null {
    return sees(null) ? null : this.#options.spaces().filter(sees);
  }

  /** @throws {DroverError} METRICS_UNREACHABLE */
  async #ask<T>(what: string, parameters: Readonly<Record<string, readonly string[]>>, signal: AbortSignal): Promise<T> {
    const body = new URLSearchParams();
    for (const [name, values] of Object.entries(parameters)) for (const value of values) body.append(name, value);
    const hint = "See that the address of --metrics-from is right and that it scrapes this Drover.";
    try {
      const until = AbortSignal.any([signal, AbortSignal.timeout(answersWithinMs)]);
      const answer = await fetch(`${this.#options.url}/api/v1/${what}?${body}`, { signal: until, redirect: "error" });
      const text = await bounded(answer);
      if (!answer.ok) throw new Error(`it answered with ${answer.status}: ${text.slice(0, 200)}`);
      return JSON.parse(text) as T;
    } catch (error) {
      signal.throwIfAborted();
      throw new DroverError("METRICS_UNREACHABLE", `figures could not be had from "${this.#options.url}"`, { hint, cause: error });
    }
  }
}

async function bounded(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > longestAnswerBytes) throw new RangeError(`its answer is longer than ${longestAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
