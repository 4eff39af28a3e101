import type { Check } from "#model/check.ts";

/**
 * How old a result may be: a check that was not made for three intervals says nothing any more. One that looks over a time may say nothing for as long as that
 * after a step, because it counts what came since alone (`window.ts`): what it said before stands meanwhile.
 */
export function freshMsOf({ everyMs, timeoutMs, test }: Pick<Check, "everyMs" | "timeoutMs" | "test">): number {
  const overMs = test.kind === "metric" || test.kind === "log" ? test.overMs : 0;
  return 3 * everyMs + timeoutMs + overMs;
}
