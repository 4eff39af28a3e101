import { RE2JS } from "re2js";

/**
 * Whether the pattern occurs in the text, in time linear to both: patterns come from manifests and texts from apps, and together they must not be
 * able to stop the loop as backtracking would.
 */
export function occursIn(pattern: string, text: string): boolean {
  return RE2JS.compile(pattern).matcher(text).find();
}
