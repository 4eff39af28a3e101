import type { Check } from "#model/check.ts";

/** How old a result may be: a check that was not made for three intervals says nothing any more. */
export function freshMsOf({ everyMs, timeoutMs }: Check): number {
  return 3 * everyMs + timeoutMs;
}
