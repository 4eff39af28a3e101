import { z } from "zod";

/** The part of the HTTP API that is about what happened over time. */

export const lanes = ["deploys", "health", "checks", "escalations", "scaling", "machines", "edges", "people"] as const;

export const timelineSpan = z
  .object({
    key: z
      .string()
      .meta({ description: "What it is about. A span that ends in one page and began in an older one has the same key there." }),
    lane: z.enum(lanes),
    space: z.string().nullable(),
    app: z.string().nullable(),
    subject: z.string().nullable(),
    title: z.string().meta({ description: "What began, in words." }),
    message: z.string().meta({ description: "What was told of it last." }),
    startMs: z.number().nullable().meta({ description: "null: before what was looked at." }),
    endMs: z.number().nullable().meta({ description: "null: it had not ended by `untilMs`. The same as `startMs`: a moment." }),
    outcome: z
      .enum(["open", "ok", "failed", "replaced", "stopped"])
      .meta({ description: "open: it had not ended; replaced: another took its place; stopped: somebody or something ended it." }),
    by: z
      .string()
      .nullable()
      .meta({ description: "The name of the token of whoever began it; null: nobody, it happened or Drover did it by itself." }),
    link: z
      .object({ kind: z.enum(["app", "release", "check", "escalation", "machine", "certificate"]), name: z.string() })
      .nullable()
      .meta({ description: "What to look at. A release by its number, of the app." }),
    firstEvent: z.int(),
    lastEvent: z.int(),
  })
  .meta({ id: "TimelineSpan" });

export const timelineView = z
  .object({
    sinceMs: z.number(),
    untilMs: z.number(),
    lanes: z
      .array(z.object({ lane: z.enum(lanes), spans: z.array(timelineSpan) }))
      .meta({ description: "Each by its time, oldest first." }),
    older: z.int().nullable().meta({ description: "Give it as `before` for what comes before, in the same time; null: that is all." }),
    keptSinceMs: z.number().nullable().meta({ description: "Older events are not kept; null: there are none at all." }),
  })
  .meta({ id: "Timeline" });

const spread = z.object({ median: z.number(), p90: z.number() }).nullable().meta({ description: "In milliseconds; null without any." });

export const feedback = z
  .object({
    changes: z
      .int()
      .meta({ description: "New releases by apply, push, environment or secret whose end (serving or failed) lies in the time." }),
    failed: z.int().meta({ description: "Those that did not become ready, or from which somebody went back by a rollback in the time." }),
    failureRate: z.number().nullable().meta({ description: "failed / changes, 0 to 1; null without changes." }),
    perDay: z.number().meta({ description: "Changes a day." }),
    leadTimeMs: spread.meta({
      description: "From when the server took the release until all its instances were ready, of changes that became so.",
    }),
    restores: z.int().meta({ description: "Times at which the app served again, all of it, after some process had no ready instance." }),
    restoreMs: spread.meta({ description: "How long it had been failing then." }),
    failingSinceMs: z.number().nullable().meta({ description: "Since when it fails now; null: it does not." }),
  })
  .meta({ id: "Feedback" });

export const feedbackView = z
  .object({
    sinceMs: z.number(),
    untilMs: z.number(),
    keptSinceMs: z
      .number()
      .nullable()
      .meta({ description: "Events before are not kept, so figures of a longer time are of less; null: there are none." }),
    all: feedback.omit({ failingSinceMs: true }).meta({ id: "FeedbackOfAll", description: "Of all apps below together." }),
    apps: z.array(feedback.extend({ space: z.string(), app: z.string() })),
  })
  .meta({ id: "FeedbackReport" });

export const healthPeriod = z
  .object({
    state: z.enum(["well", "degraded", "failing", "idle", "unknown"]).meta({
      description:
        "Of an app: all that is wanted is ready; some process has fewer; some process has none; nobody wants it to run. Of a machine: `well` while its agent answers, else `failing`. unknown: nothing was told of it.",
    }),
    startMs: z.number(),
    endMs: z.number().meta({ description: "Where the next one begins; of the last one the end of the time." }),
    message: z.string().nullable().meta({ description: "How it began, in words." }),
    code: z.string().nullable().meta({ description: "Of the condition that it began with." }),
  })
  .meta({ id: "HealthPeriod" });

export const healthHistory = z
  .object({
    sinceMs: z.number(),
    untilMs: z.number(),
    wellShare: z.number().nullable().meta({
      description: "Of the time that it was well, degraded or failing, how much it was well, 0 to 1; null: it was none of these.",
    }),
    periods: z.array(healthPeriod).meta({ description: "Without a gap, the oldest first; at most the latest 1,000." }),
    keptSinceMs: z.number().nullable().meta({ description: "Older events are not kept; null: there are none at all." }),
  })
  .meta({ id: "HealthHistory" });

export type HealthPeriod = z.output<typeof healthPeriod>;
export type HealthHistory = z.output<typeof healthHistory>;
export type Lane = (typeof lanes)[number];
export type TimelineSpan = z.output<typeof timelineSpan>;
export type TimelineView = z.output<typeof timelineView>;
export type FeedbackView = z.output<typeof feedbackView>;
export type Feedback = z.output<typeof feedback>;
