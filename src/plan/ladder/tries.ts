import type { Escalation, Level, LevelAction, Remedy, Tries } from "#model/ladder.ts";
import type { CheckId } from "#model/names.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import type { Need, Reach } from "./needs.ts";
import type { EndedRun, Pass } from "./pass.ts";
import { widen } from "./places.ts";

/** What to do for a need: a run from this reach, whose first attempt is number `attempt`; or people, who are told what was tried. */
export type Choice = (Reach & { readonly kind: "run"; readonly attempt: number }) | { readonly kind: "people"; readonly tried: number };

export function triesOf(level: Level, target: Target): Tries {
  return (scopeOf(target) === "app" ? level.forApps[nameOf(target)] : undefined) ?? level;
}

/** What attempt number `attempt` (from 1) of a level does. */
export function remedyAt({ action, attempts, remedies }: Tries, attempt: number): Remedy {
  return attempt <= attempts ? { kind: "action", action } : (remedies[attempt - attempts - 1] ?? { kind: "people" });
}

export function actionAt(level: Level, target: Target, attempt: number): LevelAction | null {
  const remedy = remedyAt(triesOf(level, target), attempt);
  return remedy.kind === "action" ? remedy.action : null;
}

/**
 * From which level to mend, given what the runs before tried for the same check in a row: a run that ended soon before the check failed again
 * did not help, and what it tried at the level counts. So a level is tried as often as it says, then come its remedies, then people.
 */
export function chooseLevel(pass: Pass, need: Need): Choice {
  const { index } = pass.input;
  const chain = runsInVain(pass, need.check.id, need.state.sinceMs);
  let tried = 0;
  let target: Target | null = need.target;
  for (let level = need.level; level >= 0; level--) {
    const spec = index.ladder.levels[level] as Level;
    target = widen(index.places, target, spec.scope);
    if (target === null) break;
    const attempts = attemptsAt(chain, spec.name, target);
    tried += attempts;
    const remedy = remedyAt(triesOf(spec, target), attempts + 1);
    if (remedy.kind === "action") return { kind: "run", level, target, attempt: attempts + 1 };
    if (remedy.kind === "people") break;
  }
  return { kind: "people", tried };
}

/** The whole runs for a check that followed soon on each other, up to its present failure; none before people took over. */
function runsInVain(pass: Pass, check: CheckId, failingSinceMs: number): readonly Escalation[] {
  const { soonMs } = pass.input.index.ladder;
  const chain: Escalation[] = [];
  let sinceMs = failingSinceMs;
  for (const { run, outcome } of lastEnded(pass)) {
    if (sinceMs - outcome.atMs > soonMs) break;
    const cause = run.failed.find((failed) => failed.check === check);
    if (cause === undefined) continue;
    if (outcome.kind === "people") break;
    if (outcome.kind !== "done" && outcome.kind !== "wider") continue;
    chain.push(run);
    sinceMs = cause.sinceMs;
  }
  return chain;
}

/** Runs that have ended, the last one first. */
function lastEnded(pass: Pass): readonly EndedRun[] {
  pass.ended ??= [...pass.runs.values()]
    .flatMap((run) => (run.outcome === null ? [] : [{ run, outcome: run.outcome }]))
    .sort((a, b) => b.outcome.atMs - a.outcome.atMs);
  return pass.ended;
}

/** How many attempts the runs made at a level that they began with. */
function attemptsAt(chain: readonly Escalation[], level: string, target: Target): number {
  let most = 0;
  for (const run of chain) {
    if (run.level !== level || run.target !== target) continue;
    for (const step of run.steps) if (step.level === level) most = Math.max(most, step.attempt);
  }
  return most;
}
