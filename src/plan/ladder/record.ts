import type { Escalation, StepEnd } from "#model/ladder.ts";
import type { StepId } from "#model/names.ts";

/**
 * What others than the planner write into a run's record: the executor and people. Each gives the record that is to be written, or null when it
 * does not apply (any more), so that a second answer, or a late one, changes nothing.
 */

/** A step ended. Null when another end is written already, or a newer server runs it: the executor's term has to be the step's. */
export function finishStep(run: Escalation, id: StepId, term: number, end: StepEnd): Escalation | null {
  const step = run.steps.find((one) => one.id === id);
  if (step === undefined || step.action === null || step.ended !== null || step.term !== term) return null;
  return { ...run, steps: run.steps.map((one) => (one === step ? { ...one, ended: end } : one)) };
}

/** A person approves or refuses the level that the run waits at. Null when it waits for none, or no more. */
export function decideApproval(run: Escalation, isApproved: boolean, by: string, nowMs: number): Escalation | null {
  const asked = run.approvals.find(({ level, decision }) => level === run.at && decision === null);
  if (run.outcome !== null || asked === undefined || nowMs >= asked.expiresAtMs) return null;
  const decision = { isApproved, by, atMs: nowMs };
  return { ...run, approvals: run.approvals.map((one) => (one === asked ? { ...one, decision } : one)) };
}

/** A person takes note that a run ended with people: from now on its target may be acted on again. Null when nobody was asked, or someone did. */
export function acknowledge(run: Escalation, by: string, nowMs: number): Escalation | null {
  if (run.outcome?.kind !== "people" || run.outcome.acknowledged !== null) return null;
  return { ...run, outcome: { ...run.outcome, acknowledged: { by, atMs: nowMs } } };
}

/** A person stops a run: what acts is ended, nothing follows. Null when it has ended or is being stopped. */
export function stopRun(run: Escalation, by: string, nowMs: number): Escalation | null {
  return run.outcome !== null || run.stop !== null ? null : { ...run, stop: { by, atMs: nowMs } };
}
