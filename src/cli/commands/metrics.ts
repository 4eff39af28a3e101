import type { Aggregate, FigureFunction, MetricAnswer, MetricLabelsView, MetricNameView } from "#model/api-metrics.ts";
import { DroverError } from "#model/errors.ts";
import { formatSize } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { appReference, durationMs, nearest, oneOf, readLabel } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { requireKnownApp } from "../known-app.ts";
import { spark } from "../output/spark.ts";
import { table } from "../output/table.ts";
import { count, dateTime } from "../output/time.ts";

const list = {
  summary: "list the metrics that there are figures of",
  configure: (command) => command.argument("[text]", "only those with this in their name"),
  async run({ api, out, signal }, { args: [text = ""] }) {
    const { metrics } = await api.call<{ metrics: MetricNameView[] }>("GET", apiPath(["metrics", "names"]), signal);
    const found = metrics.filter(({ name }) => name.includes(text));
    if (out.json) {
      out.value({ metrics: found });
      return 0;
    }
    if (found.length === 0)
      out.note(text === "" ? "nothing was measured yet; the first figures come within 15 seconds" : `no name has "${text}" in it`);
    const rows = found.map(({ name, type, series, help }) => [name, type, series === null ? "" : String(series), help ?? ""]);
    if (rows.length > 0) for (const line of table(["METRIC", "TYPE", "SERIES", "MEANING"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

interface QueryOptions {
  readonly app?: string;
  readonly label?: readonly string[];
  readonly fn?: string;
  readonly by?: string;
  readonly aggregate?: string;
  readonly quantile?: string;
  readonly last?: string;
  readonly step?: string;
}

const functions: readonly FigureFunction[] = ["rate", "increase", "avg", "max", "min", "last", "quantile"];
const aggregates: readonly Aggregate[] = ["sum", "avg", "max", "min"];

/** Where there is no terminal to fill. */
const plainColumns = 120;
const widestGraph = 60;

const query = {
  summary: "draw a metric over time",
  configure: (command) =>
    command
      .argument("<metric>", '"drover metrics ls" lists them')
      .option("--app <app>", "only this app's")
      .option("-l, --label <label=value...>", "only series with this label, such as process=web")
      .option("--fn <function>", "rate, increase, avg, max, min, last or quantile (default: what suits the metric)")
      .option("--by <labels>", "one line for each value of these labels, such as release,class")
      .option("--aggregate <how>", "how others become one: sum, avg, max or min (default: sum)")
      .option("--quantile <share>", "of a histogram (default: 0.95)")
      .option("--last <duration>", "how far back (default: 1h)")
      .option("--step <duration>", "between two points"),
  async run(session, { args: [name = ""], options }) {
    const { api, out, common, clock, signal } = session;
    const about = options.app === undefined ? null : appReference(options.app, common.space);
    const match = [
      ...(about === null ? (common.space === null ? [] : [`space=${common.space}`]) : [`space=${about.space}`, `app=${about.app}`]),
      ...(options.label ?? []).map((label) => readLabel(label).join("=")),
    ];
    const { by, quantile, last = "1h", step } = options;
    const fn = oneOf(options.fn, "--fn", functions);
    const aggregate = oneOf(options.aggregate, "--aggregate", aggregates);
    const stepMs = step === undefined ? undefined : durationMs(step, "--step");
    const fromMs = clock.nowMs() - durationMs(last, "--last");
    const path = apiPath(["metrics", "query"], { name, match, fn, by, aggregate, quantile, fromMs, stepMs });
    const answer = await api.call<MetricAnswer>("GET", path, signal);
    if (answer.series.length === 0) await requireKnownApp(session, about?.space, about?.app);
    else await requireKnownLabels(session, answer);
    if (out.json) out.value(answer);
    else for (const line of draw(answer, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb<QueryOptions> & { summary: string };

export default { verbs: { ls: list, query: query as Verb & { summary: string } } } satisfies Noun;

/**
 * For groups by a label that none of the series has: whether it may be a slip. Series of other apps, or of other times, may have it.
 * @throws {DroverError} USAGE
 */
async function requireKnownLabels({ api, signal }: Session, { name, by, series }: MetricAnswer): Promise<void> {
  const odd = by.filter((label) => series.every(({ labels }) => labels[label] === undefined || labels[label] === ""));
  if (odd.length === 0) return;
  const { labels } = await api.call<MetricLabelsView>("GET", apiPath(["metrics", "labels"], { name }), signal);
  const wrong = odd.find((label) => !Object.hasOwn(labels, label));
  if (wrong === undefined) return;
  const close = nearest(wrong, Object.keys(labels));
  const hint = close === null ? `It has ${Object.keys(labels).sort().join(", ")}.` : `Did you mean "${close}"?`;
  throw new DroverError("USAGE", `"${name}" has no label "${wrong}"`, { hint });
}

function draw({ name, fn, aggregate, by, series, leftOut, ...points }: MetricAnswer, columns: number | null): readonly string[] {
  const of = aggregate === null ? "" : `${aggregate}${by.length === 0 ? "" : ` by ${by.join(", ")}`} of `;
  const head = `${of}${fn} of ${name}  ${dateTime(points.fromMs)} to ${dateTime(points.toMs)}, a point each ${points.stepMs / 1_000} s`;
  if (series.length === 0) return [head, "nothing is known of it in that time"];
  const names = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))];
  const first = series[0]?.labels ?? {};
  // What all have in common says nothing about one of them.
  const telling = names.filter((label) => series.length === 1 || series.some(({ labels }) => labels[label] !== first[label]));
  const labelled = series.map(({ labels }) => telling.map((label) => `${label}=${labels[label] ?? ""}`).join(" "));
  const widest = Math.max(6, ...labelled.map((text) => text.length));
  const graph = Math.max(10, Math.min(widestGraph, (columns ?? plainColumns) - widest - 36));
  const rows = series.map(({ values }, i) => {
    const known = values.filter((value) => value !== null);
    const figures = [Math.min(...known), Math.max(...known), known.at(-1) ?? Number.NaN].map((value) => figure(name, value));
    return [labelled[i] ?? "", spark(values, graph), ...figures];
  });
  const more = leftOut === 0 ? [] : [`and ${count(leftOut, "smaller one")} more`];
  return [head, ...table(["SERIES", "", "LEAST", "MOST", "NOW"], rows, columns), ...more];
}

function figure(name: string, value: number): string {
  if (/_bytes(_total)?$/.test(name)) return formatSize(value);
  if (value !== 0 && Math.abs(value) < 0.01) return value.toExponential(1);
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
