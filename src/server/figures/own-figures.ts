import type { MetricAnswer, MetricLabelsView, MetricNameView } from "#model/api-metrics.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { defaultFunction, Evaluation } from "./evaluate.ts";
import {
  type FigureSource,
  isMatched,
  isVisible,
  largestFirst,
  type Match,
  type MetricQuery,
  metricNotFound,
  mostValues,
  pointsOf,
  type Sees,
  viewNames,
} from "./figure-source.ts";
import type { FigureStore } from "./figure-store.ts";
import { levelAt, levels } from "./levels.ts";
import type { Kind, Series } from "./series.ts";

/** Points that are in memory for one question: some 32 MB. */
const mostPointsOfAll = 2_000_000;
/** Series that one question reads. */
const mostRead = 5_000;
/** What a counter did before the first point is told by the sample before it. */
const lookBackMs = 300_000;
/** How far back names are looked for that nothing tells any more. */
const namesSinceMs = 15 * 86_400_000;

/** Answers from Drover's own store. */
export class OwnFigures implements FigureSource {
  readonly #store: FigureStore;
  readonly #clock: Clock;
  readonly #helpOf: (name: string) => string | null;

  constructor(store: FigureStore, clock: Clock, helpOf: (name: string) => string | null) {
    this.#store = store;
    this.#clock = clock;
    this.#helpOf = helpOf;
  }

  async names(sees: Sees): Promise<readonly MetricNameView[]> {
    return this.#names(sees);
  }

  #names(sees: Sees): readonly MetricNameView[] {
    const live = [...this.#store.live].filter((series) => isVisible(series, sees));
    const known = new Map<string, Kind>(live.map(({ name, kind }) => [name, kind]));
    // Of what nothing tells any more only the name is at hand, not whose it was.
    if (sees(null)) for (const [name, kind] of this.#known()) known.set(name, kind);
    return viewNames(known, live, this.#helpOf);
  }

  async labels(name: string, matches: readonly Match[], sees: Sees): Promise<MetricLabelsView> {
    const stored = this.#requireName(name, null, sees).name;
    const values = new Map<string, Set<string>>();
    for (const series of this.#store.live) {
      if (series.name !== stored || !isVisible(series, sees) || !isMatched(series, matches)) continue;
      for (const [label, value] of Object.entries(series.labels)) {
        let known = values.get(label);
        if (known === undefined) values.set(label, (known = new Set()));
        if (known.size < mostValues) known.add(value);
      }
    }
    return { name, labels: Object.fromEntries(Array.from(values, ([label, of]) => [label, [...of].sort()])) };
  }

  async query(query: MetricQuery, sees: Sees, signal: AbortSignal): Promise<MetricAnswer> {
    const { matches, quantile } = query;
    const { name, kind } = this.#requireName(query.name, query.fn, sees);
    const nowMs = this.#clock.nowMs();
    const points = pointsOf(query, nowMs, (fromMs) => levels[levelAt(nowMs - fromMs)]?.stepMs ?? levels[0].stepMs);
    const fn = query.fn ?? (name === query.name ? defaultFunction(kind) : "quantile");
    const aggregate = query.aggregate ?? (query.by === null ? null : "sum");
    const by = query.by ?? [];
    const most = Math.min(mostRead, Math.floor(mostPointsOfAll / ((points.toMs - points.fromMs) / points.stepMs + 1)));
    const evaluation = new Evaluation({ fn, aggregate, by, quantile, ...points });
    const isWanted = (series: Series) => isMatched(series, matches) && isVisible(series, sees);
    const selection = { name, scope: scopeOf(matches), isWanted, fromMs: points.fromMs - lookBackMs - points.stepMs, toMs: points.toMs };
    for await (const { key, series, times, values } of this.#store.read(selection)) {
      evaluation.add(key, series, times, values);
      if (evaluation.seriesCount > most)
        throw new DroverError("REQUEST_INVALID", `"${query.name}" has more than ${most} series that fit`, {
          hint: "Name labels that fewer of them have, such as match=app=NAME, or ask for fewer points.",
        });
      signal.throwIfAborted();
    }
    return { name: query.name, fn, aggregate, by: [...by], ...points, source: "drover", ...largestFirst(evaluation.results()) };
  }

  #known(): ReadonlyMap<string, Kind> {
    return this.#store.names(this.#clock.nowMs() - namesSinceMs);
  }

  /** What it is stored as: a histogram by its buckets. */
  #requireName(name: string, fn: MetricQuery["fn"], sees: Sees): { readonly name: string; readonly kind: Kind } {
    const known = this.#known();
    const buckets = `${name}_bucket`;
    const kind = known.get(name);
    if (kind !== undefined && fn !== "quantile") return { name, kind };
    if (known.has(buckets)) return { name: buckets, kind: "counter" };
    if (kind !== undefined && name.endsWith("_bucket")) return { name, kind };
    if (kind !== undefined)
      throw new DroverError("REQUEST_INVALID", `"${name}" is no histogram, which has quantiles`, {
        hint: "Ask for avg, max, rate or increase.",
      });
    throw metricNotFound(name, this.#names(sees));
  }
}

/** The one app that is asked about; null if it may be several. */
function scopeOf(matches: readonly Match[]): string | null {
  const only = (label: string) => matches.find((match) => match.label === label && match.isEqual)?.value;
  const [space, app] = [only("space"), only("app")];
  return space === undefined || app === undefined ? null : `${space}/${app}`;
}
