import type { Aggregate, FigureFunction } from "#model/api-metrics.ts";
import type { Match } from "./figure-source.ts";

/** One question in the language of Prometheus. */
export interface PromqlQuestion {
  readonly name: string;
  readonly matches: readonly Match[];
  /** Spaces that may be told; null: all. Drover's own that is of no space is told either way. */
  readonly spaces: readonly string[] | null;
  readonly fn: FigureFunction;
  readonly aggregate: Aggregate | null;
  readonly by: readonly string[];
  readonly quantile: number;
  readonly stepMs: number;
}

/** A rate needs two samples, also where the source asks Drover once in half a minute. */
const leastWindowMs = 120_000;

/** `name{label="value",…}`, and nothing of spaces that may not be told. @param name null: any */
export function selector(name: string | null, matches: readonly Match[], spaces: readonly string[] | null): string {
  const parts = matches.map(({ label, isEqual, value }) => `${label}${isEqual ? "=" : "!="}${quoted(value)}`);
  // A label that a series has not is empty there. Of what is of no space, Drover's own is for everybody; others may tell the same source anything.
  if (spaces !== null) {
    const isOwn = name?.startsWith("drover_") ?? false;
    parts.push(`space=~${quoted([...(isOwn ? [""] : []), ...spaces].join("|"))}`);
    if (!isOwn) parts.push('space!=""');
  }
  // What is wrong with the installation is for whoever may see all of it; a problem always has a code.
  if (spaces !== null && name === "drover_problems") parts.push('code=""');
  return `${name ?? ""}{${parts.join(",")}}`;
}

/** The expression that gives the same as the own store does. */
export function promqlOf({ name, matches, spaces, fn, aggregate, by, quantile, stepMs }: PromqlQuestion): string {
  const grouped = aggregate === null ? null : by.length === 0 ? aggregate : `${aggregate} by (${by.join(", ")})`;
  const window = `[${Math.max(stepMs, fn === "rate" || fn === "quantile" ? leastWindowMs : 0) / 1_000}s]`;
  if (fn === "quantile") {
    const rate = `rate(${selector(`${name}_bucket`, matches, spaces)}${window})`;
    const buckets = aggregate === null ? rate : `sum by (${["le", ...by].join(", ")}) (${rate})`;
    return `histogram_quantile(${quantile}, ${buckets})`;
  }
  const over = fn === "rate" || fn === "increase" ? fn : `${fn}_over_time`;
  const each = `${over}(${selector(name, matches, spaces)}${window})`;
  return grouped === null ? each : `${grouped} (${each})`;
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
