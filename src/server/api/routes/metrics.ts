import { z } from "zod";
import { aggregate, figureFunction, metricAnswer, metricLabels, metricName } from "#model/api-metrics.ts";
import { DroverError } from "#model/errors.ts";
import type { Match } from "../../figures/figure-source.ts";
import { createQueryTurns } from "../../figures/query-turns.ts";
import { collectMetrics } from "../../metrics/collect.ts";
import { Exposition, expositionType } from "../../metrics/exposition.ts";
import { wholeNumber } from "../query.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const metric = z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/, "a name of a metric");
/** More labels than any series has. */
const mostMatches = 32;
/** A label or nothing: it becomes a part of what another system is asked, where nothing quotes it. */
const labelName = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const match = z.string().max(1_000);
const matches = z
  .union([match, z.array(match).max(mostMatches)])
  .optional()
  .meta({ description: "`label=value` or `label!=value`; may be given several times, and all have to hold." });
const time = wholeNumber(Number.MAX_SAFE_INTEGER).optional();

/** Figures: as they are now, and over time. */
export function metricRoutes({ controlPlane, store, version, startedAtMs, figures, source, webUi }: Services): readonly Route[] {
  const turns = createQueryTurns();
  return [
    route({
      method: "GET",
      path: "/metrics",
      id: "getMetrics",
      summary: "All figures in the text format of Prometheus.",
      access: { right: "read", of: "each" },
      answer: { kind: "text", type: expositionType },
      handle: async ({ signal, sees }) => {
        const told = new Exposition();
        await collectMetrics({ controlPlane, store, figures, version: version().version, startedAtMs, sees }, told, signal);
        return { pieces: told.pieces(), type: expositionType };
      },
    }),
    route({
      method: "GET",
      path: "/v1/metrics/names",
      id: "listMetrics",
      summary: "The metrics that there are figures of.",
      access: { right: "read", of: "each" },
      answer: { kind: "json", schema: z.object({ metrics: z.array(metricName) }) },
      handle: async ({ signal, sees }) => ({ json: { metrics: await source.names(sees, signal) } }),
    }),
    route({
      method: "GET",
      path: "/v1/metrics/labels",
      id: "listMetricLabels",
      summary: "The labels of a metric and the values that they have now.",
      access: { right: "read", of: "each" },
      query: z.strictObject({ name: metric, match: matches }),
      answer: { kind: "json", schema: metricLabels },
      handle: async ({ signal, sees }, query) => ({ json: await source.labels(query.name, readMatches(query.match), sees, signal) }),
    }),
    route({
      method: "GET",
      path: "/v1/metrics/query",
      id: "queryMetric",
      summary: "A metric over time: one series of points for each that fits, or for each group of `by`.",
      access: { right: "read", of: "each" },
      query: z.strictObject({
        name: metric,
        match: matches,
        fn: figureFunction.optional().meta({
          description:
            "What each point says of its step. `rate` (a second) and `increase` are for counters, `avg`, `max`, `min` and `last` for gauges, `quantile` for histograms. Default: rate, avg or quantile.",
        }),
        aggregate: aggregate
          .optional()
          .meta({ description: "How series become one, for each group of `by`. Default: sum where `by` is given, else they stay apart." }),
        by: z.string().max(500).optional().meta({ description: "Labels, separated by commas, that stay; empty: all becomes one." }),
        quantile: z
          .string()
          .regex(/^(0(\.\d{1,6})?|1(\.0{1,6})?)$/, "a number from 0 to 1")
          .transform(Number)
          .default(0.95)
          .meta({ type: "number", minimum: 0, maximum: 1 }),
        fromMs: time.meta({ description: "Epoch milliseconds. Default: an hour before `toMs`." }),
        toMs: time.meta({ description: "Default: now." }),
        stepMs: time.meta({
          description: "Between two points; becomes longer where figures of that age are kept at longer steps. Default: some 240 points.",
        }),
      }),
      answer: { kind: "json", schema: metricAnswer },
      handle: async (
        { signal, sees, caller },
        { name, match: given, fn = null, aggregate: how = null, by, quantile, fromMs, toMs, stepMs },
      ) => {
        const groups = by === undefined ? null : readGroups(by);
        const what = { name, matches: readMatches(given), fn, aggregate: how, by: groups, quantile };
        const query = { ...what, fromMs: fromMs ?? null, toMs: toMs ?? null, stepMs: stepMs ?? null };
        return { json: await turns.run(caller.token, () => source.query(query, sees, signal), signal) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/metrics/targets",
      id: "listMetricTargets",
      summary: "Where Prometheus and what speaks as it does find the figures, in the form of its HTTP service discovery.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: z.array(z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) })) },
      handle: async () => {
        const { protocol, host } = new URL(webUi.url());
        return { json: [{ targets: [host], labels: { __scheme__: protocol.slice(0, -1), __metrics_path__: "/metrics" } }] };
      },
    }),
  ];
}

/** @throws {DroverError} REQUEST_INVALID */
function readGroups(text: string): readonly string[] {
  const labels = text.split(",").filter((label) => label !== "");
  const wrong = labels.find((label) => !labelName.test(label));
  if (wrong === undefined) return labels;
  throw new DroverError("REQUEST_INVALID", `"${wrong}" is no label`, {
    hint: "Write labels with commas between them, such as by=app,release.",
  });
}

/** @throws {DroverError} REQUEST_INVALID */
function readMatches(given: string | readonly string[] | undefined): readonly Match[] {
  const texts = given === undefined ? [] : typeof given === "string" ? [given] : given;
  return texts.map((text) => {
    const [, label, not, value] = /^([a-zA-Z_][a-zA-Z0-9_]*)(!?)=(.*)$/s.exec(text) ?? [];
    if (label === undefined || value === undefined || !labelName.test(label))
      throw new DroverError("REQUEST_INVALID", `"${text}" is no match`, { hint: "Write label=value or label!=value." });
    return { label, isEqual: not === "", value };
  });
}
