import type { CheckView, EscalationView, LadderView } from "#model/api-escalations.ts";
import type { Escalation } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";
import { describeReason } from "#plan/ladder/reasons.ts";
import { ladderObjects, noSwitches } from "../objects/ladder-objects.ts";
import type { Stored } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { Escalator } from "./escalator.ts";

/** What people see of a space's checks, by name and target. */
export function viewChecks(escalator: Pick<Escalator, "sceneOf">, space: SpaceName, nowMs: number): readonly CheckView[] {
  const scene = escalator.sceneOf(space);
  if (scene === null) return [];
  const silent = scene.silent(nowMs).checks;
  return [...scene.index.checks.values()].flatMap(({ id, check, target }): CheckView[] => {
    const state = scene.book.states.get(id);
    if (state === undefined) return [];
    const { verdict, sinceMs, atMs, message, isFlapping, probes } = state;
    return [
      {
        id,
        name: check.name,
        target,
        kind: check.test.kind,
        level: check.level,
        verdict,
        sinceMs,
        atMs,
        message,
        isFlapping,
        isSilent: silent.has(check.name),
        impossible: scene.impossible(id),
        everyMs: check.everyMs,
        timeoutMs: check.timeoutMs,
        failures: check.failures,
        from: [...check.from],
        probes: { ...probes },
      },
    ];
  });
}

export function viewEscalation(
  escalator: Pick<Escalator, "controller">,
  space: SpaceName,
  { value, modRevision }: Stored<Escalation>,
): EscalationView {
  const waiting = escalator.controller.waiting(space).find(({ target }) => value.outcome === null && target === value.target);
  const { outcome } = value;
  return {
    id: value.id,
    target: value.target,
    state: stateOf(value, waiting?.reason.kind ?? null),
    openedAtMs: value.openedAtMs,
    settleUntilMs: value.settleUntilMs,
    isDryRun: value.isDryRun,
    begunAtMs: value.begunAtMs,
    level: value.level,
    at: value.at,
    failed: value.failed.map((one) => ({ ...one })),
    approvals: value.approvals.map((one) => ({ ...one })),
    steps: value.steps.map(({ term: _term, isKilled: _isKilled, action, ...one }) => ({
      ...one,
      action: action === null ? null : action.kind === "command" ? { ...action, env: { ...action.env } } : action,
    })),
    stop: value.stop,
    outcome:
      outcome === null
        ? null
        : {
            kind: outcome.kind,
            atMs: outcome.atMs,
            reason: outcome.reason,
            acknowledged: outcome.kind === "people" ? outcome.acknowledged : null,
          },
    waitingFor: waiting === undefined ? null : describeReason(waiting.reason),
    revision: modRevision,
  };
}

function stateOf({ outcome, begunAtMs }: Escalation, waitsFor: string | null): EscalationView["state"] {
  if (outcome !== null) return outcome.kind === "people" && outcome.acknowledged === null ? "needs-human" : "ended";
  if (begunAtMs === null) return "settling";
  return waitsFor === null || waitsFor === "acting" || waitsFor === "quiet" || waitsFor === "own-check" ? "running" : "waiting";
}

/** Null when nothing of the space is checked. */
export function viewLadder(escalator: Escalator, store: Store, space: SpaceName): LadderView | null {
  const scene = escalator.sceneOf(space);
  if (scene === null) return null;
  const { ladder } = scene.index;
  const word = (action: (typeof ladder.levels)[number]["action"]) => (action.kind === "built-in" ? action.name : action.run);
  return {
    name: ladder.name,
    isDeclared: ladderObjects.ladder(store, space) !== null,
    isDryRun: (ladderObjects.switches(store, space)?.value ?? noSwitches).isDryRun,
    settleMs: ladder.settleMs,
    levels: ladder.levels.map(({ name, scope, action, attempts, remedies, quietMs, timeoutMs, check, approve }) => ({
      name,
      scope,
      action: action.kind === "command" ? { ...action, env: { ...action.env } } : action,
      attempts,
      // biome-ignore lint/suspicious/noThenProperty: the word of the manifest; nothing awaits a view.
      then: remedies.map((remedy) => (remedy.kind === "action" ? word(remedy.action) : remedy.kind)),
      quietMs,
      timeoutMs,
      check,
      approve: approve !== null,
      askedBy: ladder.checks.filter((one) => one.level === name).map((one) => one.name),
    })),
    guards: { ...ladder.guards, massFailure: { ...ladder.guards.massFailure } },
    pauses: ladderObjects.pauses(store, space).map(({ value }) => ({ ...value })),
    notices: ladderObjects.notices(store, space).map(({ value }) => ({ ...value })),
    waiting: escalator.controller.waiting(space).map(({ target, reason }) => ({ target, reason: describeReason(reason) })),
  };
}
