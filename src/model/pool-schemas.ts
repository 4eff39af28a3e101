import { z } from "zod";
import { namePattern, type PoolName } from "./names.ts";
import { poolProvider } from "./pool-provider-schemas.ts";
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
    provider: poolProvider,
  })
  .superRefine(({ machines: { min, healthy }, provider: { ssh } }, context) => {
    if (healthy !== undefined && healthy > min)
      context.addIssue({ code: "custom", path: ["machines", "healthy"], message: `at most min, which is ${min}` });
    if (ssh !== undefined && ssh.hosts.length < min)
      context.addIssue({ code: "custom", path: ["provider", "ssh"], message: `at least as many hosts as machines, which are ${min}` });
  });

export type PoolManifest = z.output<typeof poolManifest>;
