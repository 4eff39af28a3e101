import type { Explanation, Simulation } from "#model/api-escalations.ts";
import { type CheckState, checkId } from "#model/check.ts";
import { DroverError } from "#model/errors.ts";
import type { CheckId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { IndexedCheck, LadderIndex } from "#plan/ladder/index-ladder.ts";
import type { LadderInput } from "#plan/ladder/input.ts";
import { contains } from "#plan/ladder/places.ts";
import { playLadder } from "#plan/ladder/play.ts";
import { describeReason } from "#plan/ladder/reasons.ts";
import type { SpaceScene } from "./space-scene.ts";

/** How long an action takes in a play. */
const actionMs = 5_000;

/** The checks that are meant by `smoke` (at every target) or `node-ping@m1`. @throws {DroverError} CHECK_NOT_FOUND */
export function findChecks(index: LadderIndex, name: string): readonly IndexedCheck[] {
  const all = [...index.checks.values()];
  const at = name.indexOf("@");
  const found =
    at === -1
      ? all.filter(({ check }) => check.name === name)
      : all.filter(
          ({ id, check, target }) => id === name || (check.name === name.slice(0, at) && target.endsWith(`/${name.slice(at + 1)}`)),
        );
  if (found.length > 0) return found;
  throw new DroverError("CHECK_NOT_FOUND", `there is no check "${name}"`, { hint: "List them with `drover check ls`." });
}

/** Plays the ladder on a virtual clock with these checks failing from now on, and nothing else under way. */
export function simulate(
  scene: SpaceScene,
  options: { readonly fail: readonly string[]; readonly forMs: number; readonly isMending: boolean; readonly nowMs: number },
): Simulation {
  const { index } = scene;
  const failing = new Set(options.fail.flatMap((name) => findChecks(index, name)).map(({ id }) => id));
  const { played, escalations } = play(scene, failing, options);
  return {
    fromMs: options.nowMs,
    lines: played.flatMap(({ atMs, action }) => {
      if (action.kind === "save")
        return [
          {
            atMs,
            kind: action.escalation.outcome?.kind ?? action.reason.kind,
            target: action.escalation.target as string,
            text: describeReason(action.reason),
          },
        ];
      if (action.kind === "start")
        return [
          {
            atMs,
            kind: "start",
            target: action.step.target as string,
            text: `${wordOf(action.step.action)} of level "${action.step.level}"`,
          },
        ];
      if (action.kind === "tell") return [{ atMs, kind: "tell", target: "people", text: action.notice.text }];
      return action.kind === "kill" ? [{ atMs, kind: "kill", target: action.step as string, text: describeReason(action.reason) }] : [];
    }),
    outcomes: escalations.map(({ target, outcome }) => ({ target, outcome: outcome?.kind ?? "still under way" })),
  };
}

/** What would happen if this check failed now. */
export function explainCheck(scene: SpaceScene, check: IndexedCheck, nowMs: number): Explanation {
  const { ladder } = scene.index;
  const state = scene.book.states.get(check.id);
  const base = { check: check.id as string, verdict: state?.verdict ?? "unknown", level: check.check.level };
  if (check.asks === null) return { ...base, lines: ["nothing: it is watched only"] };
  if (scene.silent(nowMs).checks.has(check.check.name))
    return { ...base, lines: ["nothing now: it is outside of its expected hours, or in maintenance"] };
  const { played } = play(scene, new Set([check.id]), { forMs: 3_600_000, isMending: true, nowMs });
  const steps = played.flatMap(({ atMs, action }) =>
    action.kind === "start"
      ? [
          `after ${Math.round((atMs - nowMs) / 1_000)} s: ${wordOf(action.step.action)} (level "${action.step.level}") on ${action.step.target}`,
        ]
      : action.kind === "tell"
        ? [`after ${Math.round((atMs - nowMs) / 1_000)} s: people are told: ${action.notice.text}`]
        : [],
  );
  const level = ladder.levels[check.asks.level];
  const then = level?.remedies.map((remedy) => (remedy.kind === "action" ? wordOf(remedy.action) : remedy.kind)) ?? [];
  return {
    ...base,
    lines: [
      `${check.check.failures} failures in a row, ${check.check.everyMs / 1_000} s apart, make it failing; then it has ${ladder.settleMs / 1_000} s to recover by itself`,
      ...(steps.length === 0 ? ["then nothing is done: see `drover ladder show` for what holds it"] : steps),
      `if it still fails after ${level?.attempts ?? 0} attempts: ${[...then, "people"].filter((word, i, all) => word !== all[i - 1]).join(", then ")}`,
    ],
  };
}

function wordOf(action: { readonly kind: "built-in"; readonly name: string } | { readonly kind: "command"; readonly run: string }): string {
  return action.kind === "built-in" ? action.name : `\`${action.run}\``;
}

function play(
  scene: SpaceScene,
  failing: ReadonlySet<CheckId>,
  { forMs, isMending, nowMs }: { forMs: number; isMending: boolean; nowMs: number },
) {
  const { index } = scene;
  const mended = new Map<CheckId, number>();
  const stateOf = (id: CheckId, atMs: number): CheckState => {
    const mendedAtMs = mended.get(id);
    const isFailing = failing.has(id) && (mendedAtMs === undefined || atMs < mendedAtMs);
    const probes = { server: { atMs, isOk: !isFailing, failures: isFailing ? 1 : 0, message: "" } };
    return {
      id,
      verdict: isFailing ? "failing" : "ok",
      sinceMs: nowMs,
      atMs,
      isPassing: !isFailing,
      probes,
      changesAtMs: [],
      isFlapping: false,
      message: isFailing ? "fails in this play" : "well in this play",
    };
  };
  const input: LadderInput = {
    index,
    states: new Map(),
    silent: scene.silent(nowMs),
    monitor: { probes: [{ name: "server", lastResultAtMs: nowMs + forMs, isSuspect: false }], freshMs: scene.freshMs, isNetworkUp: true },
    escalations: [],
    pauses: [],
    notices: [],
    massAcknowledgedAtMs: null,
    isDryRun: false,
    term: 1,
    nowMs,
  };
  return playLadder(
    input,
    {
      states: (atMs) => new Map([...index.checks.keys()].map((id) => [id, stateOf(id, atMs)])),
      act: (step, atMs) => {
        const endMs = atMs + Math.min(actionMs, step.timeoutMs);
        if (isMending) for (const id of mendedBy(index, step.level, step.target)) mended.set(id, endMs);
        return { atMs: endMs, result: "ok", exitCode: 0, output: "" };
      },
      nextAtMs: () => null,
    },
    nowMs + forMs,
  );
}

/** What an action mends: the checks that ask for its level, inside of its target. */
function mendedBy(index: LadderIndex, level: string, target: Target): readonly CheckId[] {
  return [...index.checks.values()]
    .filter((one) => one.asks !== null && index.ladder.levels[one.asks.level]?.name === level && contains(index.places, target, one.target))
    .map(({ check, target: at }) => checkId(check.name, at));
}
