import type { ScaleTrace } from "#model/api-scaling.ts";
import { DroverError } from "#model/errors.ts";
import { parseDurationMs, parseSizeBytes } from "#model/quantities.ts";

type Point = ScaleTrace["points"][number];

const number = (text: string) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : null);

/** Columns beside `time`, by what they are called in manifests, and how their cells are read. */
const columns = {
  cpu: { key: "cores", read: number, wanted: "cores, such as 1.5" },
  memory: { key: "memoryBytes", read: (text: string) => parseSizeBytes(text) ?? number(text), wanted: "a size, such as 64MiB" },
  rps: { key: "rps", read: number, wanted: "requests per second, such as 120" },
  latency: { key: "latencyMs", read: (text: string) => parseDurationMs(text) ?? number(text), wanted: "a duration, such as 250ms" },
  metric: { key: "metric", read: number, wanted: "the figure, such as 1200" },
  command: { key: "command", read: number, wanted: "what the command prints, such as 7" },
} as const;

/**
 * A load over time, as comma-separated values: a head such as `time,cpu,rps`, then a line for each moment from which it is otherwise. Times are seconds
 * since the first one, or moments such as 2026-11-23T08:00:00Z.
 * @param nowMs when seconds begin to count
 * @throws {DroverError} USAGE with the line that is wrong
 */
export function readScaleTrace(text: string, nowMs: number): readonly Point[] {
  const [head = "", ...lines] = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const names = head.split(",").map((name) => name.trim());
  const isKnown = (name: string): name is keyof typeof columns => Object.hasOwn(columns, name);
  const [first, ...rest] = names;
  if (first !== "time" || rest.length === 0 || !rest.every(isKnown) || new Set(rest).size < rest.length)
    throw wrong(1, `"${head}"`, `a head of \`time\` and then some of ${Object.keys(columns).join(", ")}, such as time,cpu`);
  return lines.map((line, i) => {
    const cells = line.split(",").map((cell) => cell.trim());
    if (cells.length !== names.length) throw wrong(i + 2, `${cells.length} values`, `${names.length}, as many as its head`);
    const [time = "", ...amounts] = cells;
    const seconds = number(time);
    const atMs = seconds === null ? Date.parse(time) : nowMs + seconds * 1_000;
    if (Number.isNaN(atMs)) throw wrong(i + 2, `the time "${time}"`, "seconds, or a moment such as 2026-11-23T08:00:00Z");
    const point: { atMs: number } & Partial<Record<(typeof columns)[keyof typeof columns]["key"], number>> = { atMs };
    for (const [at, name] of rest.entries()) {
      const { key, read, wanted } = columns[name];
      const amount = read(amounts[at] ?? "");
      if (amount === null) throw wrong(i + 2, `${name} "${amounts[at]}"`, wanted);
      point[key] = amount;
    }
    return point;
  });
}

function wrong(line: number, found: string, wanted: string): DroverError {
  return new DroverError("USAGE", `line ${line} of the trace has ${found}`, { hint: `Write ${wanted}.` });
}
