import { type AppMetric, type AppMetricType, type AppSample, mostSeriesOfInstance } from "#model/app-metrics.ts";
import { longestLabelValue, longestMetricName, mostLabels } from "./bounds.ts";

/** For people. */
const longestHelp = 500;

const types: readonly string[] = ["counter", "gauge", "histogram", "summary", "untyped"] satisfies AppMetricType[];
const parts: Readonly<Partial<Record<AppMetricType, RegExp>>> = { histogram: /_(?:bucket|sum|count)$/, summary: /_(?:sum|count)$/ };

/**
 * What an app tells in the text format, https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. Lines that are none of it are left
 * out, and so are figures that are no numbers and time stamps, which would be those of another clock.
 */
export function readExposition(text: string): { readonly metrics: readonly AppMetric[]; readonly leftOut: number } {
  const metrics = new Map<string, { name: string; type: AppMetricType; help: string; samples: AppSample[] }>();
  const metricOf = (name: string) => {
    let metric = metrics.get(name);
    if (metric === undefined) metrics.set(name, (metric = { name, type: "untyped", help: "", samples: [] }));
    return metric;
  };
  let [series, leftOut] = [0, 0];
  // Here and below a dot takes what else ends lines too, so that no such character has the same text tried again from each place.
  for (const line of text.split("\n")) {
    const [, kind, about = "", rest = ""] = /^#\s+(HELP|TYPE)\s+(\S+)\s*(.*)$/s.exec(line) ?? [];
    if (kind !== undefined) {
      if (about.length > longestMetricName || metrics.size >= mostSeriesOfInstance) continue;
      if (kind === "HELP") metricOf(about).help = rest.trim().slice(0, longestHelp);
      else if (types.includes(rest.trim())) metricOf(about).type = rest.trim() as AppMetricType;
      continue;
    }
    if (line.trim() === "" || line.startsWith("#")) continue;
    const sample = readSample(line);
    if (sample === null || series === mostSeriesOfInstance) {
      leftOut++;
      continue;
    }
    series++;
    metricOf(baseOf(sample[0], metrics)).samples.push(sample);
  }
  return { metrics: [...metrics.values()].filter(({ samples }) => samples.length > 0), leftOut };
}

/** The metric that declared such parts; else the sample is one by itself. */
function baseOf(name: string, metrics: ReadonlyMap<string, { readonly type: AppMetricType }>): string {
  const base = name.replace(/_(?:bucket|sum|count)$/, "");
  const type = metrics.get(base)?.type;
  return base !== name && type !== undefined && parts[type]?.test(name) === true ? base : name;
}

/** Null for what is no sample. */
function readSample(line: string): AppSample | null {
  const head = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{)?/.exec(line);
  const name = head?.[1];
  if (head === null || name === undefined || name.length > longestMetricName) return null;
  const labels = head[2] === undefined ? { labels: {}, end: head[0].length } : readLabels(line, head[0].length);
  if (labels === null) return null;
  const [, text] =
    /^\s+(\S+)(?:\s+-?\d+)?\s*(?:#.*)?$/s.exec(line.slice(labels.end - (head[2] === undefined && /\s$/.test(head[0]) ? 1 : 0))) ?? [];
  const value = text === undefined ? Number.NaN : numberOf(text);
  return Number.isNaN(value) ? null : [name, labels.labels, value];
}

function readLabels(line: string, from: number): { readonly labels: Record<string, string>; readonly end: number } | null {
  const labels: Record<string, string> = {};
  const label = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))/y;
  let at = from;
  for (let count = 0; count <= mostLabels; count++) {
    const end = /\s*\}/y;
    end.lastIndex = at;
    if (end.test(line)) return { labels, end: end.lastIndex };
    label.lastIndex = at;
    const [, name, value] = label.exec(line) ?? [];
    if (name === undefined || value === undefined || value.length > longestLabelValue || name.startsWith("__")) return null;
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
    at = label.lastIndex;
  }
  return null;
}

function numberOf(text: string): number {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return /^[+-]?(\d|\.\d)/.test(text) ? Number(text) : Number.NaN;
}
