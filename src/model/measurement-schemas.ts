import { z } from "zod";
import { longestOverMs } from "./measurement.ts";
import { duration } from "./quantity-schemas.ts";

/** The manifest's words about figures, for conditions and for scaling. */

const name = z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/, "a name of a metric");

export const measurementManifest = {
  name: name.meta({ description: "The metric, as `drover metrics ls` lists it." }),
  match: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/, "a name of a label"), z.string().max(1_000))
    .default({})
    .meta({ description: "Labels that its series must have: `{ class: 5xx }`." }),
  fn: z
    .enum(["rate", "increase", "avg", "max", "min", "last", "quantile"])
    .optional()
    .meta({ description: "Default: rate (a second) of a counter, avg of a gauge, quantile of a histogram." }),
  aggregate: z
    .enum(["sum", "avg", "max", "min"])
    .default("sum")
    .meta({ description: "How several series become one number. Default sum." }),
  quantile: z.number().min(0).max(1).default(0.95).meta({ description: "Of a histogram. Default 0.95." }),
  over: duration.refine((ms) => ms >= 15_000 && ms <= longestOverMs, "15s to 30m, which is what is in memory"),
};

export const divisor = name.optional().meta({ description: "Another metric that it is divided by: failed requests by all." });
