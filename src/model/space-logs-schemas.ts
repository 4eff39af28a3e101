import { z } from "zod";
import { keepManifest } from "./log-keep-schemas.ts";
import { shipManifest } from "./log-shipping-schemas.ts";

/** The key `logs` of a space: what becomes of what its apps print. */
export const spaceLogsManifest = z.strictObject({
  keep: keepManifest.optional().meta({
    description: "How long lines are kept on each machine. All spaces together stay within what the machine has for logs, 1GiB.",
  }),
  ship: shipManifest.optional().meta({
    description: "Where lines are sent besides being kept, by a name of your choice; from then on, not what was printed before.",
  }),
});

export type SpaceLogs = z.output<typeof spaceLogsManifest>;
