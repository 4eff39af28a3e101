import type { Target } from "#model/target.ts";
import type { LadderInput } from "./input.ts";
import { quietUntilMs } from "./pass.ts";
import { above } from "./places.ts";

/**
 * When what the target is was acted on last: the end of the last quiet period of a step, or of a run's step, from where it is reached. May be to come. Null if
 * nothing acted there within what is known. A dry run mends nothing, and a step that still acts has mended nothing yet.
 */
export function mendedAtMs(input: Pick<LadderInput, "index" | "escalations">, target: Target): number | null {
  const reaching = above(input.index.places, target);
  let atMs: number | null = null;
  for (const run of input.escalations) {
    if (run.isDryRun) continue;
    for (const step of run.steps)
      if (step.action !== null && step.ended !== null && (reaching.has(step.target) || reaching.has(run.target)))
        atMs = Math.max(atMs ?? 0, quietUntilMs({ input }, step));
  }
  return atMs;
}
