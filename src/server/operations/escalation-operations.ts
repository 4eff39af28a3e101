import { DroverError } from "#model/errors.ts";
import type { Escalation, Pause } from "#model/ladder.ts";
import { massFailureNotice } from "#model/ladder.ts";
import type { EscalationId, SpaceName } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import { acknowledge, decideApproval, stopRun } from "#plan/ladder/record.ts";
import { ladderKeys, ladderObjects, noSwitches } from "../objects/ladder-objects.ts";
import { put, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { OperationContext } from "./context.ts";
import { requireSpace } from "./space-operations.ts";
import { transact } from "./transact.ts";

/** Who does it, as the record shows it, and when: by the clock that the Escalator decides by. */
export interface Hand {
  readonly by: string;
  readonly nowMs: number;
}

/** The run with this id, or the only one whose id begins with it. @throws {DroverError} ESCALATION_NOT_FOUND */
export function requireEscalation({ store }: Pick<OperationContext, "store">, space: SpaceName, id: string): Stored<Escalation> {
  requireSpace({ store }, space);
  const exact = ladderObjects.escalation(store, space, id as EscalationId);
  if (exact !== null) return exact;
  const found = ladderObjects.escalations(store, space).filter((one) => one.value.id.startsWith(id));
  if (found.length === 1 && found[0] !== undefined) return found[0];
  throw new DroverError(
    "ESCALATION_NOT_FOUND",
    found.length === 0 ? `space "${space}" has no escalation "${id}"` : `${found.length} escalations of "${space}" begin with "${id}"`,
    { hint: "List them with `drover escalation ls`." },
  );
}

/** @throws {DroverError} ESCALATION_NOT_FOUND; CONFLICT when the run waits for no approval (any more) */
export function approveEscalation(context: OperationContext, space: SpaceName, id: string, isApproved: boolean, hand: Hand) {
  const word = isApproved ? "approved" : "refused";
  return changeRun(context, space, id, word, "it waits for no approval", hand, (run) =>
    decideApproval(run, isApproved, hand.by, hand.nowMs),
  );
}

/** @throws {DroverError} ESCALATION_NOT_FOUND; CONFLICT when nobody was asked, or someone has acknowledged already */
export function acknowledgeEscalation(context: OperationContext, space: SpaceName, id: string, hand: Hand) {
  return changeRun(context, space, id, "acknowledged", "it waits for nobody to acknowledge it", hand, (run) =>
    acknowledge(run, hand.by, hand.nowMs),
  );
}

/** @throws {DroverError} ESCALATION_NOT_FOUND; CONFLICT when it has ended or is being stopped */
export function stopEscalation(context: OperationContext, space: SpaceName, id: string, hand: Hand) {
  return changeRun(context, space, id, "stopped", "it has ended, or is being stopped", hand, (run) => stopRun(run, hand.by, hand.nowMs));
}

async function changeRun(
  context: OperationContext,
  space: SpaceName,
  id: string,
  word: string,
  whyNot: string,
  { by }: Hand,
  change: (run: Escalation) => Escalation | null,
) {
  const { store, events } = context;
  const changed = await transact(store, null, () => {
    const stored = requireEscalation(context, space, id);
    const next = change(stored.value);
    if (next === null)
      throw new DroverError("CONFLICT", `the escalation "${stored.value.id}" cannot be ${word}: ${whyNot}`, {
        hint: "Look at it with `drover escalation show`.",
      });
    return { answer: { id: next.id }, conditions: [unchanged(stored.key, stored)], changes: [put(stored.key, next)] };
  });
  events.append({ space, subject: changed.id, kind: `escalation.${word}`, message: `${changed.id} is ${word} by ${by}`, by });
  return changed;
}

/** Nothing acts in the target until the pause ends, which it does by itself. A second pause of the same target takes the place of the first. */
export async function pauseTarget(context: OperationContext, space: SpaceName, target: Target, forMs: number, { by, nowMs }: Hand) {
  const pause: Pause = { target, by, sinceMs: nowMs, untilMs: nowMs + forMs };
  const done = await transact(context.store, null, () => {
    const stored = requireSpace(context, space);
    return {
      answer: { target, untilMs: pause.untilMs },
      conditions: [unchanged(stored.key, stored)],
      changes: [put(ladderKeys.pause(space, target), pause)],
    };
  });
  context.events.append({
    space,
    subject: target,
    kind: "ladder.paused",
    message: `${target} is paused by ${by} until it ends by itself`,
    by,
  });
  return done;
}

/** @throws {DroverError} CONFLICT when it is not paused */
export async function resumeTarget(context: OperationContext, space: SpaceName, target: Target, { by }: Hand) {
  const key = ladderKeys.pause(space, target);
  const done = await transact(context.store, null, () => {
    requireSpace(context, space);
    if (context.store.get(key) === null)
      throw new DroverError("CONFLICT", `${target} of "${space}" is not paused`, { hint: "See what is with `drover ladder show`." });
    return { answer: { target }, conditions: [], changes: [remove(key)] };
  });
  context.events.append({ space, subject: target, kind: "ladder.resumed", message: `${target} is resumed by ${by}`, by });
  return done;
}

/** In a dry run the same is decided and recorded, and nothing is done. */
export async function setDryRun(context: OperationContext, space: SpaceName, isDryRun: boolean, { by }: Hand) {
  const key = ladderKeys.switches(space);
  const done = await transact(context.store, null, () => {
    requireSpace(context, space);
    const stored = ladderObjects.switches(context.store, space);
    const before = stored?.value ?? noSwitches;
    if (before.isDryRun === isDryRun) return { answer: { isDryRun }, conditions: [], changes: [] };
    return { answer: { isDryRun }, conditions: [unchanged(key, stored)], changes: [put(key, { ...before, isDryRun })] };
  });
  context.events.append({
    space,
    kind: "ladder.mode",
    message: `escalations ${isDryRun ? "only write down what they would do" : "act"}, said ${by}`,
    by,
  });
  return done;
}

/**
 * People have seen that many machines failed: what failed until now holds nothing back any more.
 * @throws {DroverError} CONFLICT when there is no mass failure: machines that somebody took note of count in none to come
 */
export async function acknowledgeMassFailure(context: OperationContext, space: SpaceName, { by, nowMs }: Hand) {
  const key = ladderKeys.switches(space);
  const done = await transact(context.store, null, () => {
    requireSpace(context, space);
    if (ladderObjects.notice(context.store, space, massFailureNotice) === null)
      throw new DroverError("CONFLICT", `there is no mass failure in space "${space}"`, {
        hint: "See what is held back with `drover ladder show`.",
      });
    const stored = ladderObjects.switches(context.store, space);
    const next = { ...(stored?.value ?? noSwitches), massAcknowledgedAtMs: nowMs };
    return { answer: { acknowledgedAtMs: nowMs }, conditions: [unchanged(key, stored)], changes: [put(key, next)] };
  });
  context.events.append({ space, kind: "ladder.acknowledged", message: `the mass failure is acknowledged by ${by}`, by });
  return done;
}
