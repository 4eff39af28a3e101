import { z } from "zod";
import { variableName } from "./name-schemas.ts";
import { namePattern, type PoolName } from "./names.ts";
import { duration } from "./quantity-schemas.ts";
import { notYet, unique } from "./schema-parts.ts";

/** Pools of machines as a manifest writes them. Apart from the types, because only the server reads manifests. */

/** Enough for one pool of the largest fleets that a single server drives. */
const mostMachines = 1_000;
/** Names of machines are the pool's and a number, and have to be names too. */
const longestPoolName = 35;

const command = z
  .string("a command line")
  .min(1, "a command line")
  .max(16_384, "at most 16384 characters")
  .refine((text) => !text.includes("\0"), "text without NUL characters");
const count = z.int("a number of machines").min(1, "at least 1").max(mostMachines, `at most ${mostMachines}`);

const commands = z.union(
  [
    command.transform((run) => ({ list: run, create: run, destroy: run, converge: run, power: run })),
    z.strictObject({
      list: command.meta({ description: 'Prints its machines: `{"machines":[{"name":"web-1","address":"10.0.0.4","power":"on"}]}`.' }),
      create: command.meta({
        description:
          "Makes the machine $DROVER_MACHINE and switches it on. One that is there already is well. It joins this Drover with $DROVER_JOIN_TOKEN at $DROVER_JOIN_ADDRESS.",
      }),
      destroy: command.meta({ description: "Takes the machine $DROVER_MACHINE away. One that is not there is well." }),
      converge: command.optional().meta({ description: "Makes the software of the machine $DROVER_MACHINE what it should be." }),
      power: command.optional().meta({ description: "Switches the machine $DROVER_MACHINE to $DROVER_POWER: on or off." }),
    }),
  ],
  "one command line for all verbs, told apart by $DROVER_VERB; or one each for list, create, destroy, converge and power",
);

export const poolName = z
  .string()
  .regex(namePattern, 'a pool name: 1 to 35 of a-z, 0-9 and "-", starting and ending with a letter or digit')
  .max(longestPoolName, `at most ${longestPoolName} characters`) as unknown as z.ZodType<PoolName, PoolName> & z.ZodString;

export const poolManifest = z
  .strictObject({
    pool: poolName.meta({ description: "The pool's name. Its machines are named after it: web-1, web-2." }),
    cluster: notYet("clusters"),
    machines: z
      .union(
        [
          count.transform((min) => ({ min, healthy: undefined })),
          z.strictObject({
            min: count.meta({ description: "How many there should be." }),
            max: notYet("pools that grow by themselves"),
            idle: notYet("pools that shrink by themselves"),
            healthy: z
              .int()
              .min(0)
              .optional()
              .meta({ description: "How many have to stay well while Drover acts on another one. Default: one fewer than `min`." }),
          }),
        ],
        "a number of machines, or min and healthy",
      )
      .meta({ description: "How many machines there should be." }),
    provider: z.strictObject({
      command: commands.meta({ description: "Command lines, run by `sh` at an agent." }),
      env: z.record(variableName, z.string().max(65_536)).default({}).meta({ description: "Environment of its commands." }),
      secrets: z
        .array(variableName)
        .max(100)
        .refine(unique, "each once")
        .default([])
        .meta({ description: "Names of secrets of the space that its commands get in their environment." }),
      every: duration
        .refine((ms) => ms >= 500, "at least 500ms")
        .default(10_000)
        .meta({ description: "How often its list is asked for. Default 10s." }),
      timeout: duration
        .refine((ms) => ms > 0 && ms <= 300_000, "more than 0s and at most 5m")
        .default(30_000)
        .meta({ description: "How long its list may take; the other verbs have the timeout of their level. Default 30s." }),
    }),
  })
  .superRefine(({ machines: { min, healthy } }, context) => {
    if (healthy !== undefined && healthy > min)
      context.addIssue({ code: "custom", path: ["machines", "healthy"], message: `at most min, which is ${min}` });
  });

export type PoolManifest = z.output<typeof poolManifest>;
