import { z } from "zod";

/** An app that runs what a restored state does not know. */
export const restoreReview = z
  .object({
    space: z.string(),
    app: z.string(),
    runs: z.array(z.object({ release: z.int(), instances: z.int() })).meta({ description: "By orders that the restored state has lost." }),
    knows: z.int().nullable().meta({ description: "The newest release that the restored state has; null where it does not have the app." }),
    message: z.string(),
  })
  .meta({ id: "RestoreReview" });

export const restoreList = z.object({ apps: z.array(restoreReview) });

/** Bounded by what one installation runs. */
const mostApps = 10_000;

export const restoreDecision = z.strictObject({
  apps: z.array(z.string()).min(1).max(mostApps).meta({ description: "As `space/app`." }),
});

export type RestoreList = z.output<typeof restoreList>;
export type RestoreDecision = z.output<typeof restoreDecision>;
