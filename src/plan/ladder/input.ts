import type { CheckState } from "#model/check.ts";
import type { Escalation, LevelAction, Notice, Pause } from "#model/ladder.ts";
import type { CheckId, EscalationId, StepId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { LadderIndex } from "./index-ladder.ts";
import type { Reason } from "./reasons.ts";

export interface LadderInput {
  /** Ladder, checks and topology, prepared once for each change of them. */
  readonly index: LadderIndex;
  readonly states: ReadonlyMap<CheckId, CheckState>;
  /** Names of checks that ask for nothing now (outside expected hours, in maintenance), and when that changes next. */
  readonly silent: { readonly checks: ReadonlySet<string>; readonly untilMs: number | null };
  readonly monitor: Monitor;
  /** Every run that has not ended, every one whose people have not acknowledged, and what ended within the last day. Any order. */
  readonly escalations: readonly Escalation[];
  readonly pauses: readonly Pause[];
  /** Notices that people were given and that were not cleared since. */
  readonly notices: readonly Notice[];
  /** Machines that failed before this count no more as a mass failure, because a person has seen it. */
  readonly massAcknowledgedAtMs: number | null;
  readonly isDryRun: boolean;
  /** Term of this server: steps of lower terms lost their executor. */
  readonly term: number;
  /** Never goes back: the wall clock at start, moved by the monotonic one. */
  readonly nowMs: number;
}

export interface Monitor {
  readonly probes: readonly { readonly name: string; readonly lastResultAtMs: number; readonly isSuspect: boolean }[];
  /** How old a probe's newest result may be before the probe counts as silent. */
  readonly freshMs: number;
  /** Whether the server's own network is up. */
  readonly isNetworkUp: boolean;
}

/** One run of one action: complete enough to be executed without a choice. */
export interface StepOrder {
  readonly id: StepId;
  readonly escalation: EscalationId;
  readonly level: string;
  readonly target: Target;
  readonly action: LevelAction;
  readonly attempt: number;
  readonly term: number;
  readonly timeoutMs: number;
}

export type LadderAction =
  /** Writes the run's record. Comes before every `start` and `kill` that follows from it. */
  | { readonly kind: "save"; readonly escalation: Escalation; readonly reason: Reason }
  /** Resolves at once if this id already runs; what an older term left running is ended first. */
  | { readonly kind: "start"; readonly step: StepOrder; readonly reason: Reason }
  /** Ends the step with everything that it started, and writes how it ended. */
  | { readonly kind: "kill"; readonly step: StepId; readonly escalation: EscalationId; readonly reason: Reason }
  | { readonly kind: "tell"; readonly notice: Notice }
  | { readonly kind: "clear"; readonly key: string };

export interface LadderPlan {
  /** In order. A server may die after any of them: what is written up to there is sound, and the next plan goes on from it. */
  readonly actions: readonly LadderAction[];
  /** What a run or a need waits for: "nothing to do" and "held" look different. */
  readonly waiting: readonly { readonly target: Target; readonly reason: Reason }[];
  /** Earliest time at which the plan can change with no new input; null if never. */
  readonly replanAtMs: number | null;
}
