import { z } from "zod";
import { parseDurationMs, parseSizeBytes } from "./quantities.ts";

/** How long a space's lines are kept as a manifest writes it. Kept as it is written: what shows it shows what people wrote. */

const dayMs = 24 * 3_600_000;
/** Less is a slip of the unit; the segment that is written to is not removed at all. */
const [leastAgeMs, mostAgeMs] = [60_000, 3_650 * dayMs];
const [leastBytes, mostBytes] = [2 ** 20, 2 ** 44];

const within = (parse: (text: string) => number | null, least: number, most: number, wanted: string) =>
  z.string(wanted).refine((text) => {
    const value = parse(text);
    return value !== null && value >= least && value <= most;
  }, wanted);

export const keepManifest = z.strictObject({
  age: within(parseDurationMs, leastAgeMs, mostAgeMs, "a duration from 1m to ten years, such as 30d")
    .optional()
    .meta({ description: "Lines that are older go. Default 14d." }),
  size: within(parseSizeBytes, leastBytes, mostBytes, "a size from 1MiB to 16TiB, such as 512MiB").optional().meta({
    description:
      "What all of the space's lines may take of each machine's disk, compressed; past it, the app that has most gives its oldest. Default 64MiB for each app.",
  }),
});
