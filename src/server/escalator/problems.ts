import type { Escalation } from "#model/ladder.ts";
import { massFailureNotice } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { Reason } from "#model/workload.ts";
import { ladderObjects } from "../objects/ladder-objects.ts";
import type { Store } from "../store/store.ts";
import type { Escalator } from "./escalator.ts";
import { viewChecks, viewEscalation } from "./view.ts";

/** Failing checks of a space that are named: where more fail at once, the first few and their number say enough. */
const checksNamed = 5;

/** What of a space somebody should look at: runs that need a person, a mass failure, and checks that fail or cannot be made. @param target null: of the whole space */
export function findUnmended(
  escalator: Pick<Escalator, "sceneOf" | "controller" | "nowMs">,
  store: Store,
  space: SpaceName,
  target: Target | null,
): readonly Reason[] {
  const isMeant = (one: { readonly target: string }) => target === null || one.target === target;
  const runs = ladderObjects
    .escalations(store, space)
    .filter(({ value }) => isMeant(value) && needsPerson(value))
    .map((stored) => viewEscalation(escalator, space, stored))
    .map(
      (run): Reason => ({
        code: "PERSON_NEEDED",
        message: `${run.target} of space "${space}" needs a person: ${run.outcome?.reason ?? run.waitingFor ?? "it waits for approval"}; see "drover escalation show ${run.id} -s ${space}"`,
      }),
    );
  const mass = target === null ? ladderObjects.notice(store, space, massFailureNotice) : null;
  const held: readonly Reason[] =
    mass === null
      ? []
      : [
          {
            code: "PERSON_NEEDED",
            message: `space "${space}" needs a person: ${mass.value.text}; look at them, then "drover escalation acknowledge ${massFailureNotice} -s ${space}"`,
          },
        ];
  const failing = viewChecks(escalator, space, escalator.nowMs())
    .filter((check) => isMeant(check) && !check.isSilent && (check.verdict === "failing" || check.impossible !== null))
    .map(
      ({ id, message, impossible }): Reason =>
        impossible === null
          ? { code: "CHECK_FAILING", message: `check ${id} of space "${space}" fails: ${message}` }
          : { code: "CHECK_IMPOSSIBLE", message: `check ${id} of space "${space}" cannot be made: ${impossible}` },
    );
  const more = failing.length - checksNamed;
  const rest: readonly Reason[] =
    more <= 0
      ? []
      : [{ code: "CHECK_FAILING", message: `${more} more checks of space "${space}" fail; see "drover check ls -s ${space}"` }];
  return [...runs, ...held, ...failing.slice(0, checksNamed), ...rest];
}

function needsPerson({ outcome, approvals }: Escalation): boolean {
  if (outcome === null) return approvals.some(({ decision }) => decision === null);
  return outcome.kind === "people" && outcome.acknowledged === null;
}
