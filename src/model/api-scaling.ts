import { z } from "zod";

/** The part of the HTTP API that is about processes whose number of instances follows their load. */

const count = z.int().min(0).max(10_000);
const amounts = {
  cores: z.number().min(0).optional(),
  memoryBytes: z.number().min(0).optional(),
  rps: z.number().min(0).optional().meta({ description: "Requests per second." }),
  metric: z.number().min(0).optional().meta({ description: "The figure that the rule names." }),
  command: z.number().min(0).optional().meta({ description: "What the rule's command prints." }),
  latencyMs: z.number().min(0).optional().meta({ description: "How long 95 of 100 requests take." }),
};

export const scalingView = z
  .object({
    process: z.string(),
    min: z.int(),
    max: z.int(),
    each: z.object(amounts).meta({ description: "What one instance is to bear." }),
    wanted: z.int().meta({ description: "Instances that there are to be." }),
    needed: z.int().nullable().meta({ description: "What the load asks for; null while it was not looked at." }),
    because: z.string().nullable().meta({ description: "Why so many are needed, in words." }),
    held: z.string().nullable().meta({ description: "Why there are to be others than are needed; null if there are not." }),
    lookedAtMs: z.number().nullable(),
  })
  .meta({ id: "Scaling" });

/** A day at a point each second, and some. */
const mostPoints = 100_000;

export const scaleTrace = z.strictObject({
  process: z.string().default("web"),
  start: count.optional().meta({ description: "Instances at the beginning. Default: as many as there are to be now." }),
  points: z
    .array(z.strictObject({ atMs: z.number().meta({ description: "Epoch milliseconds, rising." }), ...amounts }))
    .min(2)
    .max(mostPoints)
    .refine((points) => points.every(({ atMs }, i) => i === 0 || atMs > (points[i - 1]?.atMs ?? 0)), "points in the order of their times")
    .meta({ description: "The load of all instances, each until the next one." }),
});

export const scaleTimeline = z
  .object({
    changes: z.array(z.object({ atMs: z.number(), from: z.int(), to: z.int(), because: z.string() })),
    most: z.int(),
    instanceMs: z.number().meta({ description: "Instances times the time that there were so many." }),
    shortMs: z.number().meta({ description: "For how long fewer were there than were needed." }),
  })
  .meta({ id: "ScaleTimeline" });

export type ScalingView = z.output<typeof scalingView>;
export type ScaleTrace = z.input<typeof scaleTrace>;
export type ScaleTimelineView = z.output<typeof scaleTimeline>;
