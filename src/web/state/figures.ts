import type { MetricAnswer, MetricNameView } from "#model/api-metrics.ts";
import { apiPath, call } from "../api/client.ts";
import type { AskedRange } from "./time-range.ts";
import { rangeAt } from "./time-range.ts";
import { type Loaded, useLoad } from "./use.ts";

/** As often as figures are put down. */
const everyMs = 15_000;

/** What a graph is of. */
export interface FigureQuery {
  readonly name: string;
  /** `label=value` or `label!=value`; all have to hold. */
  readonly match?: readonly string[];
  readonly fn?: string | undefined;
  readonly aggregate?: string | undefined;
  /** Labels that stay, with commas between. */
  readonly by?: string | undefined;
  readonly quantile?: string | undefined;
}

/** The metrics that there are figures of. */
export function useMetricNames(): Loaded<readonly MetricNameView[]> {
  const path = apiPath(["metrics", "names"]);
  return useLoad(path, async (signal) => (await call<{ metrics: MetricNameView[] }>("GET", path, { signal })).metrics, { everyMs });
}

/** A metric over time, and on as time goes on. Null while nothing is asked for. */
export function useFigure(query: FigureQuery | null, asked: AskedRange): Loaded<MetricAnswer | null> {
  return useLoad(
    `${JSON.stringify(query)} ${asked.key}`,
    async (signal) => {
      if (query === null) return null;
      const { fromMs, toMs } = rangeAt(asked, Date.now());
      const path = apiPath(["metrics", "query"], { ...query, fromMs: Math.round(fromMs), toMs: Math.round(toMs) });
      return call<MetricAnswer>("GET", path, { signal });
    },
    asked.fixed === null ? { everyMs } : {},
  );
}

/** The command that draws the same. */
export function figureCommand({ name, match = [], fn, aggregate, by, quantile }: FigureQuery, asked: AskedRange): string {
  return [
    "drover metrics query",
    name,
    ...match.map((one) => `-l ${quoteMatch(one)}`),
    fn && `--fn ${fn}`,
    by && `--by ${by}`,
    aggregate && `--aggregate ${aggregate}`,
    quantile && `--quantile ${quantile}`,
    asked.fixed === null ? `--last ${asked.lastName}` : `--last ${Math.max(1, Math.round((Date.now() - asked.fixed.fromMs) / 1_000))}s`,
  ]
    .filter(Boolean)
    .join(" ");
}

function quoteMatch(text: string): string {
  return /^[\w=!./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
