import { z } from "zod";
import { weeklyHours } from "./check-schemas.ts";
import { measurementManifest } from "./measurement-schemas.ts";
import { variableName } from "./name-schemas.ts";
import { duration, share } from "./quantity-schemas.ts";

/** The manifest's words about scaling by rules. */

const most = 10_000;
const count = z.int().min(1, "at least 1").max(most);
/** Less, and an app would be stopped between two clicks of one person. */
const leastIdleMs = 1_000;
/** How often it is decided: in between nobody would heed what a command says. */
const leastEveryMs = 5_000;
/** A few commands run at a time: one that is this slow keeps others waiting. */
const longestTimeoutMs = 60_000;
const someShare = share.refine((value) => value > 0, "more than 0%");

const scaleCommand = z
  .strictObject({
    run: z
      .string("a command line")
      .min(1, "a command line")
      .max(16_384, "at most 16384 characters")
      .meta({ description: "A command line, run by `sh`, that prints one whole number." }),
    each: z
      .number()
      .positive("more than 0")
      .default(1)
      .meta({ description: "How much of it one instance is to bear. Left out, it prints how many instances there are to be." }),
    every: duration
      .refine((ms) => ms >= leastEveryMs, "at least 5s")
      .default(30_000)
      .meta({ description: "Default 30s." }),
    timeout: duration
      .refine((ms) => ms > 0 && ms <= longestTimeoutMs, "more than 0s, and at most 1m")
      .optional()
      .meta({ description: "Default 10s, or the interval where that is shorter." }),
    env: z.record(variableName, z.string().max(65_536)).default({}).meta({ description: "Its environment." }),
  })
  .refine(({ every, timeout = 0 }) => timeout <= every, { path: ["timeout"], message: "at most as long as the interval" });

export type ScaleCommandManifest = z.output<typeof scaleCommand>;

export const scaleManifest = z
  .strictObject({
    min: z.int().min(0).max(most).default(1).meta({
      description:
        "Never fewer. Default 1. With 0 it has none while nobody asks for it: the edge holds the first request until an instance is ready.",
    }),
    max: count.meta({ description: "Never more." }),
    on: z
      .strictObject({
        cpu: someShare
          .optional()
          .meta({ description: "What one instance is to use of `resources.cpu`, or of one core where that is left out." }),
        memory: someShare.optional().meta({ description: "What one instance is to use of `resources.memory`." }),
        rps: z
          .number()
          .positive("more than 0")
          .max(1e6)
          .optional()
          .meta({ description: "Requests per second that one instance is to get." }),
        latency: duration
          .refine((ms) => ms > 0, "more than nothing")
          .optional()
          .meta({
            description: "How long 95 of 100 requests may take. Beyond it there are more instances; well below it, one less at a time.",
          }),
        metric: z
          .strictObject({
            ...measurementManifest,
            each: z.number().positive("more than 0").meta({ description: "How much of it one instance is to bear." }),
            over: measurementManifest.over.default(60_000).meta({ description: "The time that is looked at, 15s to 30m. Default 1m." }),
          })
          .optional()
          .meta({ description: "A figure of the space, such as the length of a queue: `{ name: jobs_waiting, each: 100 }`." }),
        command: scaleCommand.optional().meta({
          description:
            "A command of yours that says how many: `{ run: /opt/shop/how-many, every: 30s }`. What fails, or prints no number, never takes an instance away.",
        }),
      })
      .default({})
      .meta({ description: "What decides. Each asks for a number of instances, and the largest counts." }),
    schedule: z
      .array(weeklyHours.safeExtend({ min: count.meta({ description: "Never fewer in these hours." }) }))
      .max(20)
      .default([])
      .meta({ description: "Hours in which there are to be more: load that is known beforehand." }),
    idle_after: duration
      .refine((ms) => ms >= leastIdleMs, "at least 1s")
      .optional()
      .meta({ description: "With `min: 0`: none is left once nothing was asked for, or open, for so long. Default 15m." }),
    down_after: duration.default(300_000).meta({ description: "Not fewer than were needed at any moment of this time. Default 5m." }),
  })
  .superRefine(({ min, max, on, schedule, idle_after: idleAfter }, context) => {
    const problem = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    if (max < min) problem(["max"], `at least \`min\`, which is ${min}`);
    for (const [i, hours] of schedule.entries()) if (hours.min > max) problem(["schedule", i, "min"], `at most \`max\`, which is ${max}`);
    if (idleAfter !== undefined && min > 0) problem(["idle_after"], "`min: 0` beside it");
    if (Object.keys(on).length + schedule.length === 0 && min > 0)
      problem(["on"], "something that decides: cpu, memory, rps, latency, metric, command, or a schedule beside it");
  });
