import { z } from "zod";
import { parseDurationMs, parseShare, parseSizeBytes } from "./quantities.ts";

const parsed = (parse: (text: string) => number | null, wanted: string, unit: string, pattern: string) =>
  z
    .string(wanted)
    .refine((text) => parse(text) !== null, wanted)
    .transform((text) => parse(text) as number)
    .meta({ description: wanted, unit, pattern });

/** Manifest text such as `30s`; milliseconds inside. */
export const duration = parsed(parseDurationMs, "a duration with its unit: 500ms, 30s, 5m, 2h or 1d", "ms", "^\\d+(\\.\\d+)?(ms|s|m|h|d)$");
/** Manifest text such as `256MiB`; bytes inside. */
export const size = parsed(
  parseSizeBytes,
  "a size with its unit: 64MiB, 1GiB or 500MB",
  "bytes",
  "^\\d+(\\.\\d+)?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
);
/** Manifest text such as `25%`; a number from 0 to 1 inside. */
export const share = parsed(parseShare, "a share from 0% to 100%", "share", "^\\d{1,3}(\\.\\d+)?%$");
