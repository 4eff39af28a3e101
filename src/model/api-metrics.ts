import { z } from "zod";

/** The part of the HTTP API that is about figures over time. */

export const figureFunction = z.enum(["rate", "increase", "avg", "max", "min", "last", "quantile"]);
export const aggregate = z.enum(["sum", "avg", "max", "min"]);
export type FigureFunction = z.output<typeof figureFunction>;
export type Aggregate = z.output<typeof aggregate>;

const labels = z.record(z.string(), z.string());

export const metricName = z
  .object({
    name: z.string(),
    type: z.enum(["counter", "gauge", "histogram"]),
    help: z.string().nullable().meta({ description: "What it is; null for what an app tells without help." }),
    labels: z.array(z.string()).meta({ description: "Labels that its series have now." }),
    series: z.int().nullable().meta({ description: "How many series of it are followed now; null where figures are kept elsewhere." }),
  })
  .meta({ id: "MetricName" });

export const metricLabels = z
  .object({
    name: z.string(),
    labels: z.record(z.string(), z.array(z.string())).meta({ description: "Each label with its values, in order; at most 1,000 of each." }),
  })
  .meta({ id: "MetricLabels" });

export const metricSeries = z.object({
  labels,
  values: z.array(z.number().nullable()).meta({ description: "One for each point; null where it is not known." }),
});

export const metricAnswer = z
  .object({
    name: z.string(),
    fn: figureFunction,
    aggregate: aggregate.nullable(),
    by: z.array(z.string()),
    fromMs: z.number().meta({
      description: "Epoch milliseconds of the first point; point i is at fromMs + i * stepMs and stands for the step that ends with it.",
    }),
    toMs: z.number().meta({ description: "Of the last point." }),
    stepMs: z.number().meta({ description: "Between two points: what was asked for, or what the figures of that age allow." }),
    source: z.enum(["drover", "prometheus"]).meta({ description: "Who answered: Drover's own store, or the one that its settings name." }),
    series: z.array(metricSeries).meta({ description: "Those with the largest averages first." }),
    leftOut: z.int().meta({ description: "Series beyond those that an answer holds." }),
  })
  .meta({ id: "MetricAnswer" });

export type MetricNameView = z.output<typeof metricName>;
export type MetricLabelsView = z.output<typeof metricLabels>;
export type MetricAnswer = z.output<typeof metricAnswer>;
