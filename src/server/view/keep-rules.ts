import type { Space } from "#model/app.ts";
import type { KeepRule } from "#model/log-keep.ts";
import { parseDurationMs, parseSizeBytes } from "#model/quantities.ts";

/** What a space says of how long its lines are kept. */
export function keepRuleOf({ logs }: Pick<Space, "logs">): KeepRule {
  const { age, size } = logs?.keep ?? {};
  return {
    ageMs: age === undefined ? null : parseDurationMs(age),
    bytes: size === undefined ? null : parseSizeBytes(size),
  };
}
