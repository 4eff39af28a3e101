import type { Check } from "./check.ts";
import type { CheckId, EscalationId, StepId } from "./names.ts";
import type { Scope, Target } from "./target.ts";

/** The Escalator's words as data: plain JSON, so that a run survives the server that began it. */

export const builtInActions = {
  "space.restore": "space",
  "pool.create": "pool",
  "machine.replace": "machine",
  "machine.converge": "machine",
  "machine.power-cycle": "machine",
  "app.restart": "app",
  "app.redeploy": "app",
  "app.rollback": "app",
} as const satisfies Record<string, Scope>;
export type BuiltInAction = keyof typeof builtInActions;

export type LevelAction =
  | { readonly kind: "built-in"; readonly name: BuiltInAction }
  | { readonly kind: "command"; readonly run: string; readonly env: Readonly<Record<string, string>> };

/** What comes when a level's own action was tried as often as its attempts allow. After the last of them, people. */
export type Remedy =
  | { readonly kind: "action"; readonly action: LevelAction }
  /** The next more fundamental level. */
  | { readonly kind: "wider" }
  | { readonly kind: "people" };

/** How a level is tried: its action so many times, then its remedies in order. */
export interface Tries {
  readonly action: LevelAction;
  readonly attempts: number;
  readonly remedies: readonly Remedy[];
}

export interface Level extends Tries {
  readonly name: string;
  readonly scope: Scope;
  /** After each step nothing acts in its scope for so long. */
  readonly quietMs: number;
  readonly timeoutMs: number;
  /** Pause before the second attempt; doubles with each further one. */
  readonly retryMs: number;
  /** Name of the check that has to pass after the quiet period; null: the action's own end is all there is. */
  readonly check: string | null;
  readonly approve: Approve | null;
  /** Apps that are tried in another way, from their `escalate`. */
  readonly forApps: Readonly<Record<string, Tries>>;
}

export interface Approve {
  readonly withinMs: number;
  /** What happens when nobody decided in time. */
  readonly otherwise: "people" | "run" | "drop";
}

export interface Guards {
  readonly actionsPerHour: number;
  /** Share of a pool's machines that are acted on at once; always at least one. */
  readonly atOnce: number;
  readonly massFailure: { readonly share: number; readonly count: number; readonly withinMs: number };
  /** Share of the checks seen from several places that fail at one probe alone, from which that probe is not believed. */
  readonly suspectMonitor: number;
}

export type Tell =
  | { readonly kind: "webhook"; readonly url: string; readonly template: string | null }
  | { readonly kind: "email"; readonly to: string; readonly via: MailServer }
  | { readonly kind: "command"; readonly run: string };

/** Key of the notice that many machines fail at once; by this word people acknowledge it. No escalation has such an id, because ids begin with their target. */
export const massFailureNotice = "mass-failure";

/** The secret of a space whose value signs its webhooks, if it has one of this name. */
export const webhookSecret = "DROVER_WEBHOOK_SECRET";

/** Who takes e-mail from us. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `starttls`: nothing is said before the connection is encrypted; `implicit`: it begins encrypted; `off`: never, for a relay on a network of one's own. */
  readonly tls: "starttls" | "implicit" | "off";
  /** PEM, trusted in place of the machine's authorities; null: those. */
  readonly ca: string | null;
  /** Null: it takes e-mail from us without. */
  readonly login: { readonly user: string; readonly secret: string } | null;
  readonly from: string;
}

/** The ordered levels of a space, most fundamental first, and the checks that ask for them. */
export interface Ladder {
  readonly name: string;
  readonly settleMs: number;
  /** The same check failing again within this of a run's end counts as persistent. */
  readonly soonMs: number;
  readonly levels: readonly Level[];
  readonly checks: readonly Check[];
  readonly guards: Guards;
  readonly tell: readonly Tell[];
}

/** A check that failed, as it stood when the run was decided: the evidence. */
export interface FailedCheck {
  readonly check: CheckId;
  readonly target: Target;
  /** The level that it asks for. */
  readonly level: string;
  readonly sinceMs: number;
  readonly message: string;
}

export interface StepRecord {
  readonly id: StepId;
  readonly level: string;
  readonly target: Target;
  /** From 1, counting what earlier runs tried of the same. */
  readonly attempt: number;
  /** Null for a step that was passed over. */
  readonly action: LevelAction | null;
  readonly startedAtMs: number;
  /** Term of the server that started it last. */
  readonly term: number;
  /** How often a server died on the way. */
  readonly interruptions: number;
  /** Whether its executor was told to end it, because its time was over or a person said so. */
  readonly isKilled: boolean;
  /** Written by the executor; null while it acts. */
  readonly ended: StepEnd | null;
  /** Written by the planner; null while it acts, is quiet or waits for its check. */
  readonly verdict: StepVerdict | null;
}

export interface StepEnd {
  readonly atMs: number;
  readonly result: "ok" | "failed" | "timed-out" | "killed";
  readonly exitCode: number | null;
  /** The last lines of its output. */
  readonly output: string;
}

export interface StepVerdict {
  readonly atMs: number;
  readonly kind: "passed" | "failed" | "mended" | "skipped";
  readonly reason: string;
}

export interface ApprovalRecord {
  readonly level: string;
  readonly askedAtMs: number;
  readonly expiresAtMs: number;
  readonly decision: { readonly isApproved: boolean; readonly by: string; readonly atMs: number } | null;
}

/**
 * How a run ended.
 * - `recovered`: what failed mended itself before anything was done.
 * - `done`: every step of it passed. Whether that helped, the checks say.
 * - `wider`: a step failed as often as allowed, and the next run begins one level wider.
 * - `held`: it may not act at all: paused, blind, a mass failure, or people have to look first.
 * - `stopped`: by a person, or because the ladder or the mode changed under it.
 * - `dropped`: nobody approved it in time, and its level says to let it be then; or somebody refused.
 */
export type Outcome = { readonly atMs: number; readonly reason: string } & (
  | { readonly kind: "recovered" | "done" | "wider" | "held" | "stopped" | "dropped" }
  | { readonly kind: "absorbed"; readonly by: EscalationId }
  /** People were asked: nothing acts in its target until someone acknowledges. */
  | { readonly kind: "people"; readonly acknowledged: { readonly by: string; readonly atMs: number } | null }
);

/** One run: from the first failure to how it ended. */
export interface Escalation {
  readonly id: EscalationId;
  readonly target: Target;
  readonly openedAtMs: number;
  readonly settleUntilMs: number;
  readonly isDryRun: boolean;
  /** When the level was decided; null while it settles. */
  readonly begunAtMs: number | null;
  /** The level that it began with, by name, so that it means the same after the ladder was edited; null while it settles. */
  readonly level: string | null;
  /** The level that it is at. */
  readonly at: string | null;
  /** Number of the first attempt at the level that it began with: higher than 1 after runs that did not help. */
  readonly firstAttempt: number;
  /**
   * Apps that ran inside of its target when it began: its lighter levels reach them, wherever they are by then, because what a dead machine ran is moved
   * before the machine is back. Left out while it settles, and for a space, which always has all of its apps inside.
   */
  readonly ranThere?: readonly Target[];
  /** Checks that led to it. */
  readonly failed: readonly FailedCheck[];
  readonly approvals: readonly ApprovalRecord[];
  readonly steps: readonly StepRecord[];
  /** Set by a person: the current step ends, nothing follows. */
  readonly stop: { readonly by: string; readonly atMs: number } | null;
  readonly outcome: Outcome | null;
}

/** A person's switch: nothing acts in this target until it ends, which it does by itself. */
export interface Pause {
  readonly target: Target;
  readonly by: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Something that people are told once, and that then holds until it is over. The key says what is the same. */
export interface Notice {
  readonly key: string;
  readonly sinceMs: number;
  readonly text: string;
}
