import { z } from "zod";
import { shipManifest } from "./log-shipping-schemas.ts";

/** The key `logs` of a space: what becomes of what its apps print. */
export const spaceLogsManifest = z.strictObject({
  ship: shipManifest.optional().meta({
    description: "Where lines are sent besides being kept, by a name of your choice; from then on, not what was printed before.",
  }),
});

export type SpaceLogs = z.output<typeof spaceLogsManifest>;
