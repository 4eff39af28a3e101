import { longestLabelValue, longestMetricName, mostLabels } from "../bounds.ts";

/** What one line of statsd says. */
export type StatsdEvent = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
} & (
  | { readonly kind: "count"; readonly by: number }
  | { readonly kind: "set-gauge"; readonly to: number }
  | { readonly kind: "move-gauge"; readonly by: number }
  /** `seconds`: of a timer; else of a histogram of anything. Counted `weight` times, because it stands for that many. */
  | { readonly kind: "observe"; readonly unit: "seconds" | "none"; readonly value: number; readonly weight: number }
  | { readonly kind: "member"; readonly value: string }
);

/** Values of one line, which newer clients put together. */
const mostValues = 100;
/** Of a thousand million one is told: less often nobody samples. */
const leastRate = 1e-9;
const longestMember = 200;

/**
 * One line, `name:value|type`, with `|@rate` and DogStatsD's `|#tag:value,…`. Null for what is none, and for what a counter cannot be: one that falls.
 * Names and labels become those of Prometheus: what else stands in them is `_`. https://github.com/statsd/statsd/blob/master/docs/metric_types.md and
 * https://docs.datadoghq.com/developers/dogstatsd/datagram_shell
 */
export function readStatsd(line: string): readonly StatsdEvent[] | null {
  const [head = "", type = "", ...sections] = line.split("|", 10);
  const colon = head.indexOf(":");
  const name = colon < 1 ? null : nameOf(head.slice(0, colon));
  if (name === null) return null;
  const rateText = sections.find((section) => section.startsWith("@"));
  const rate = rateText === undefined ? 1 : numberOf(rateText.slice(1));
  const tags = sections.find((section) => section.startsWith("#"));
  const labels = tags === undefined ? {} : labelsOf(tags.slice(1));
  if (rate === null || rate < leastRate || rate > 1 || labels === null) return null;
  const written = head.slice(colon + 1);
  // A member of a set may have any text.
  const values = type === "s" ? [written] : written.split(":", mostValues + 1);
  if (values.length > mostValues) return null;
  const events: StatsdEvent[] = [];
  for (const text of values) {
    const event = eventOf(text, type, rate);
    if (event === null) return null;
    events.push({ name, labels, ...event });
  }
  return events;
}

type Bare<Event> = Event extends StatsdEvent ? Omit<Event, "name" | "labels"> : never;

function eventOf(text: string, type: string, rate: number): Bare<StatsdEvent> | null {
  if (type === "s") return text === "" || text.length > longestMember ? null : { kind: "member", value: text };
  const value = numberOf(text);
  if (value === null) return null;
  switch (type) {
    case "c":
      return value < 0 ? null : { kind: "count", by: value / rate };
    case "g":
      return /^[+-]/.test(text) ? { kind: "move-gauge", by: value } : { kind: "set-gauge", to: value };
    case "ms":
      return value < 0 ? null : { kind: "observe", unit: "seconds", value: value / 1_000, weight: 1 / rate };
    case "h":
    case "d":
      return { kind: "observe", unit: "none", value, weight: 1 / rate };
    default:
      return null;
  }
}

function numberOf(text: string): number | null {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : null;
}

function nameOf(text: string): string | null {
  if (text.length > longestMetricName) return null;
  const name = text.replace(/[^a-zA-Z0-9_:]/g, "_");
  return /^\d/.test(name) ? `_${name}` : name;
}

/** Null when there are too many, or one is too long. A tag without a value is `true`. */
function labelsOf(text: string): Readonly<Record<string, string>> | null {
  const tags = text.split(",", mostLabels + 1).filter((tag) => tag !== "");
  if (tags.length > mostLabels) return null;
  const labels: [string, string][] = [];
  for (const tag of tags) {
    const colon = tag.indexOf(":");
    const [label, value] = colon === -1 ? [tag, "true"] : [tag.slice(0, colon), tag.slice(colon + 1)];
    if (label === "" || label.length > longestMetricName || value.length > longestLabelValue) return null;
    const plain = label.replace(/[^a-zA-Z0-9_]/g, "_").replace(/^(?=\d)|^__+/, "_");
    if (value !== "") labels.push([plain, value]);
  }
  // In one order, so that the same tags are one series however they are put. A prototype of its own: any label may be called anything.
  return Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
