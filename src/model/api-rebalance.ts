import { z } from "zod";

const move = z
  .object({ space: z.string(), app: z.string(), process: z.string(), from: z.string(), to: z.string(), reason: z.string() })
  .meta({ id: "RebalanceMove" });

export const rebalancing = z
  .object({
    moves: z.array(move).meta({ description: "One instance each, in the order in which they are made." }),
    left: z
      .array(z.object({ space: z.string(), app: z.string(), reason: z.string() }))
      .meta({ description: "Apps that stay where they are, and why." }),
  })
  .meta({ id: "Rebalancing" });

export const rebalanceProgress = z
  .object({
    state: z.enum(["running", "done", "stopped"]),
    total: z.int(),
    moved: z.int(),
    reason: z.string().nullable().meta({ description: "Why it was stopped." }),
  })
  .meta({ id: "RebalanceProgress" });

export const rebalanceView = z.object({
  plan: rebalancing,
  last: rebalanceProgress.nullable().meta({ description: "Of the last one; null if none was, or if a backup was restored since." }),
});

export const rebalanceWhich = z.strictObject({
  app: z.string().nullable().default(null).meta({ description: "As `space/app`; null: all." }),
});

export type RebalancingView = z.output<typeof rebalancing>;
export type RebalanceView = z.output<typeof rebalanceView>;
