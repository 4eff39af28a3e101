import type { Clock } from "#model/clock.ts";
import type { Measurement } from "#model/measurement.ts";
import type { Window } from "#plan/checks/window.ts";
import { defaultFunction, Evaluation } from "./evaluate.ts";
import type { FigureStore } from "./figure-store.ts";
import { finest, startOf } from "./levels.ts";
import type { Series } from "./series.ts";

/** Which series a condition or a rule may look at. */
export type IsMeant = (series: Series) => boolean;

/** A figure over a time as one number, over the last `overMs` unless said otherwise; null while it is not known. */
export type Measure = (measurement: Measurement, isMeant: IsMeant, over?: Pick<Window, "fromMs" | "toMs">) => number | null;

/** Measures what is in memory: it is asked every few seconds, and never waits for a disk. */
export function createMeasure(store: Pick<FigureStore, "recent">, clock: Clock): Measure {
  return (measurement, isMeant, over) => {
    const { metric, of, match, fn, aggregate, quantile } = measurement;
    const toMs = over?.toMs ?? startOf(clock.nowMs(), finest.stepMs);
    const stepMs = over === undefined ? measurement.overMs : over.toMs - over.fromMs;
    const one = (name: string, isWanted: IsMeant, asked: Measurement["fn"]): number | null => {
      const plain = asked === "quantile" ? [] : [...store.recent(name)];
      const isHistogram = plain.length === 0;
      const stretches = isHistogram ? store.recent(`${name}_bucket`) : plain;
      const function_ = asked ?? (isHistogram ? "quantile" : defaultFunction(plain[0]?.series.kind ?? "gauge"));
      const evaluation = new Evaluation({ fn: function_, aggregate, by: [], quantile, fromMs: toMs, toMs, stepMs });
      for (const { key, series, times, values } of stretches) if (isWanted(series)) evaluation.add(key, series, times, values);
      const value = evaluation.results()[0]?.values[0] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    };
    const value = one(
      metric,
      (series) => isMeant(series) && Object.entries(match).every(([label, text]) => series.labels[label] === text),
      fn,
    );
    if (of === null || value === null) return value;
    const whole = one(of, isMeant, fn);
    // Of nothing, nothing is too much: without requests none fails.
    return whole === null ? null : whole === 0 ? 0 : value / whole;
  };
}
