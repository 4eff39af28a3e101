import { z } from "zod";
import { namePattern, type PoolName } from "./names.ts";
import { poolProvider } from "./pool-provider-schemas.ts";
import { duration, share } from "./quantity-schemas.ts";
import { notYet } from "./schema-parts.ts";

/** Pools of machines as a manifest writes them. Apart from the types, because only the server reads manifests. */

/** Enough for one pool of the largest fleets that a single server drives. */
const mostMachines = 1_000;
/** Names of machines are the pool's and a number, and have to be names too. */
const longestPoolName = 35;

const count = z.int("a number of machines").min(1, "at least 1").max(mostMachines, `at most ${mostMachines}`);

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
          count.transform((min) => ({
            min,
            max: undefined,
            idle: undefined,
            wait: undefined,
            busy: undefined,
            grow: undefined,
            healthy: undefined,
          })),
          z.strictObject({
            min: count.meta({ description: "How many there should be; with `max`: at least." }),
            max: count
              .optional()
              .meta({ description: "How many there may be: between the two the pool follows its work. Default: `min`." }),
            idle: duration
              .refine((ms) => ms >= 1_000, "at least 1s")
              .optional()
              .meta({
                description: "How long a machine runs nothing before it is drained and taken away, or switched off. Default: none is.",
              }),
            wait: duration.optional().meta({ description: "How long instances wait for room before machines are added. Default 1m." }),
            busy: z
              .strictObject({
                above: share
                  .refine((value) => value > 0, "more than 0%")
                  .default(0.9)
                  .meta({ description: "Share of CPU or memory that is reserved. Default 90%." }),
                for: duration.default(300_000).meta({ description: "Default 5m." }),
              })
              .optional()
              .meta({ description: "Machines are added as well when those that there are are so full for so long." }),
            grow: z
              .enum(["auto", "ask"])
              .optional()
              .meta({ description: "ask: people are told what is needed, and nothing is added. Default auto." }),
            healthy: z
              .int()
              .min(0)
              .optional()
              .meta({ description: "How many have to stay well while Drover acts on another one. Default: one fewer than `min`." }),
          }),
        ],
        "a number of machines; or min, with max, idle, wait, busy, grow and healthy",
      )
      .meta({ description: "How many machines there should be." }),
    provider: poolProvider,
  })
  .superRefine(({ machines: { min, max, healthy, idle, wait, busy, grow }, provider: { ssh, redfish } }, context) => {
    if (healthy !== undefined && healthy > min)
      context.addIssue({ code: "custom", path: ["machines", "healthy"], message: `at most min, which is ${min}` });
    if (max !== undefined && max < min)
      context.addIssue({ code: "custom", path: ["machines", "max"], message: `at least min, which is ${min}` });
    const without = Object.entries({ idle, wait, busy, grow }).find(([, value]) => value !== undefined);
    if (max === undefined && without !== undefined)
      context.addIssue({
        code: "custom",
        path: ["machines", without[0]],
        message: "`max` beside it: without it the number of machines is fixed",
      });
    const most = max ?? min;
    if (redfish !== undefined && redfish.machines.length < most)
      context.addIssue({
        code: "custom",
        path: ["provider", "redfish", "machines"],
        message: `at least ${most} of them, as many as the pool may have`,
      });
    if (ssh !== undefined && ssh.hosts.length < most)
      context.addIssue({ code: "custom", path: ["provider", "ssh"], message: `at least as many hosts as machines, which are ${most}` });
  });

export type PoolManifest = z.output<typeof poolManifest>;
