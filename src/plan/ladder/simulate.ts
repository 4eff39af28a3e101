import type { CheckState } from "#model/check.ts";
import type { Escalation, LevelAction } from "#model/ladder.ts";
import type { CheckId } from "#model/names.ts";
import { unknownState } from "../checks/fold-result.ts";
import type { IndexedCheck, LadderIndex } from "./index-ladder.ts";
import type { LadderInput, StepOrder } from "./input.ts";
import { touches } from "./places.ts";
import { type Played, playLadder, type Waited } from "./play.ts";
import { describeReason, type Reason } from "./reasons.ts";

export interface SimulateOptions {
  /** Checks that fail from the start, beside those that fail already. */
  readonly fail: readonly CheckId[];
  readonly forMs: number;
  /** Whether an action mends the checks that ask for its level. False: everything that is done is in vain. */
  readonly isMending: boolean;
  /** How long an action takes; its timeout at most. Default 5 s. */
  readonly actionMs?: number;
  /** What is silent as time goes on. Default: what is silent at the start. */
  readonly silentAt?: (nowMs: number) => LadderInput["silent"];
}

/** One line of a timeline, as plain JSON. */
export interface TimelineLine {
  readonly atMs: number;
  /** How a run ended, what the planner decided, or `start`, `kill`, `tell`, `clear`, `waits`. */
  readonly kind: string;
  /** `people` for what they are told. */
  readonly target: string;
  /** The run that it is part of; null for what is about the whole space. */
  readonly escalation: string | null;
  readonly text: string;
}

export interface Timeline {
  readonly fromMs: number;
  readonly lines: readonly TimelineLine[];
  /** How each run ended that was open at the start or opened later. */
  readonly outcomes: readonly { readonly escalation: string; readonly target: string; readonly outcome: string }[];
  /** The runs as they were in the end. */
  readonly escalations: readonly Escalation[];
}

const usualActionMs = 5_000;

/** What is part of every run that goes well says nothing new in a timeline: its steps tell it. */
const expected: ReadonlySet<Reason["kind"]> = new Set(["settling", "acting", "quiet", "own-check", "retry"]);

/**
 * Plays the ladder on a virtual clock, from the present state: what fails, what is under way, what is paused, and who was asked. Checks keep the
 * verdict that they have, probes that see go on seeing, and actions exit well. Nothing is done, and nobody is told.
 */
export function simulateLadder(input: LadderInput, options: SimulateOptions): Timeline {
  const { nowMs, monitor, index } = input;
  const { forMs, isMending, actionMs = usualActionMs, silentAt } = options;
  const untilMs = nowMs + forMs;
  const fails = new Set(options.fail);
  const start = new Map([...index.checks.keys()].map((id) => [id, stateAtStart(input, id, fails.has(id))]));
  const mendedAtMs = new Map<CheckId, number>();
  const probes = monitor.probes.map((probe) =>
    probe.lastResultAtMs + monitor.freshMs > nowMs ? { ...probe, lastResultAtMs: untilMs } : probe,
  );
  const wasOpen = new Set(input.escalations.filter(({ outcome }) => outcome === null).map(({ id }) => id));
  const known = new Set(input.escalations.map(({ id }) => id));
  const { played, waited, escalations } = playLadder(
    { ...input, monitor: { ...monitor, probes } },
    {
      states: (atMs) => new Map([...start].map(([id, state]) => [id, stateAt(state, mendedAtMs.get(id), atMs)])),
      ...(silentAt === undefined ? {} : { input: (atMs: number) => ({ silent: silentAt(atMs) }) }),
      act: (step, atMs) => {
        const endMs = atMs + Math.min(actionMs, step.timeoutMs);
        if (isMending) for (const { id } of mendedBy(index, step)) mendedAtMs.set(id, mendedAtMs.get(id) ?? endMs);
        return { atMs: endMs, result: "ok", exitCode: 0, output: "" };
      },
      nextAtMs: () => null,
    },
    untilMs,
  );
  const lines = [
    ...played.flatMap((one) => lineOf(one, escalations)),
    ...waited.flatMap((one) => (expected.has(one.reason.kind) ? [] : [lineOfWait(one)])),
  ];
  return {
    fromMs: nowMs,
    lines: lines.sort((a, b) => a.atMs - b.atMs),
    outcomes: escalations
      .filter(({ id }) => wasOpen.has(id) || !known.has(id))
      .map(({ id, target, outcome }) => ({ escalation: id, target, outcome: outcome?.kind ?? "still under way" })),
    escalations,
  };
}

/** An action in a few words: its name, or its command line. */
export function nameAction(action: LevelAction): string {
  return action.kind === "built-in" ? action.name : `\`${action.run}\``;
}

function stateAtStart({ states, nowMs }: LadderInput, id: CheckId, isMadeToFail: boolean): CheckState {
  const state = states.get(id) ?? unknownState(id, nowMs);
  if (!isMadeToFail || state.verdict === "failing") return state;
  return { ...state, verdict: "failing", isPassing: false, sinceMs: nowMs, message: "fails in this play" };
}

function stateAt(state: CheckState, mendedAtMs: number | undefined, nowMs: number): CheckState {
  if (mendedAtMs === undefined || nowMs < mendedAtMs) return { ...state, atMs: nowMs };
  return { ...state, verdict: "ok", isPassing: true, sinceMs: mendedAtMs, atMs: nowMs, message: "mended in this play" };
}

/** The checks that ask for the level of an action, where it acts. */
function mendedBy(index: LadderIndex, step: StepOrder): readonly IndexedCheck[] {
  const level = index.levels.get(step.level);
  return [...index.checks.values()].filter(
    ({ asks }) => asks !== null && asks.level === level && touches(index.places, step.target, asks.target),
  );
}

function lineOf({ atMs, action }: Played, escalations: readonly Escalation[]): readonly TimelineLine[] {
  switch (action.kind) {
    case "save": {
      const { id, target, outcome, isDryRun } = action.escalation;
      // The start that follows it says the same, except in a dry run, which has none.
      if (action.reason.kind === "attempt" && !isDryRun) return [];
      return [{ atMs, kind: outcome?.kind ?? action.reason.kind, target, escalation: id, text: describeReason(action.reason) }];
    }
    case "start": {
      const { level, target, escalation } = action.step;
      return [{ atMs, kind: "start", target, escalation, text: `${nameAction(action.step.action)} (level "${level}")` }];
    }
    case "kill":
      return [{ atMs, kind: "kill", target: action.step, escalation: action.escalation, text: describeReason(action.reason) }];
    case "tell":
      return [{ atMs, kind: "tell", target: "people", escalation: runOfNotice(action.notice.key, escalations), text: action.notice.text }];
    case "clear":
      return [];
    default:
      return action satisfies never;
  }
}

function lineOfWait({ atMs, target, reason }: Waited): TimelineLine {
  return { atMs, kind: "waits", target, escalation: null, text: describeReason(reason) };
}

/** The run that people are told of; null for what is about the whole space. */
function runOfNotice(key: string, escalations: readonly Escalation[]): string | null {
  return escalations.find(({ id }) => key === `people:${id}` || key.startsWith(`approval:${id}:`))?.id ?? null;
}
