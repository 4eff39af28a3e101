/** What of a counter, a gauge or a histogram is meant. */
export type MeasuredFunction = "rate" | "increase" | "avg" | "max" | "min" | "last" | "quantile";

/** How figures that are over time become one number of now, for conditions and rules. */
export interface Measurement {
  readonly metric: string;
  /** A metric that the first one is divided by, such as failed requests by all; null: none. */
  readonly of: string | null;
  /** Label → value that series of the first must have; `of` is not narrowed by it but for the target that is looked at. */
  readonly match: Readonly<Record<string, string>>;
  /** Null: rate of a counter, average of a gauge, quantile of a histogram. */
  readonly fn: MeasuredFunction | null;
  readonly aggregate: "sum" | "avg" | "max" | "min";
  /** For `quantile`, 0 to 1. */
  readonly quantile: number;
  readonly overMs: number;
}

/** The longest time that is looked at: what is in memory for certain. */
export const longestOverMs = 1_800_000;

/** As a manifest writes it. */
export function measurementOf(written: {
  readonly name: string;
  readonly of?: string | undefined;
  readonly match: Readonly<Record<string, string>>;
  readonly fn?: MeasuredFunction | undefined;
  readonly aggregate: Measurement["aggregate"];
  readonly quantile: number;
  readonly over: number;
}): Measurement {
  const { name, of = null, match, fn = null, aggregate, quantile, over } = written;
  return { metric: name, of, match, fn, aggregate, quantile, overMs: over };
}
