import type { CheckId, EscalationId } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import type { Target } from "#model/target.ts";

/** Why the planner decided something, or why it waits: the facts, which `describeReason` puts into words. */
export type Reason =
  | { readonly kind: "settling"; readonly checks: readonly CheckId[]; readonly untilMs: number }
  | { readonly kind: "recovered"; readonly checks: readonly CheckId[] }
  | {
      readonly kind: "begun";
      readonly level: string;
      readonly target: Target;
      readonly checks: readonly CheckId[];
      readonly attempt: number;
    }
  | { readonly kind: "absorbed"; readonly by: EscalationId; readonly target: Target; readonly level: string }
  | { readonly kind: "tried-in-vain"; readonly check: CheckId; readonly tried: number }
  | { readonly kind: "next-level"; readonly level: string }
  | { readonly kind: "done"; readonly steps: number }
  | { readonly kind: "level-failed"; readonly level: string; readonly target: Target; readonly attempts: number; readonly why: string }
  | { readonly kind: "failed-but-quiet"; readonly level: string; readonly target: Target; readonly why: string }
  | { readonly kind: "attempt"; readonly level: string; readonly target: Target; readonly attempt: number }
  | { readonly kind: "repeated"; readonly level: string; readonly target: Target; readonly interruptions: number }
  | { readonly kind: "interrupted-often"; readonly interruptions: number }
  | { readonly kind: "verdict"; readonly verdict: string; readonly level: string; readonly target: Target; readonly why: string }
  | { readonly kind: "skipped"; readonly level: string; readonly target: Target; readonly why: string }
  | { readonly kind: "overdue"; readonly timeoutMs: number }
  | { readonly kind: "stopped"; readonly by: string }
  | { readonly kind: "mode-changed"; readonly isDryRun: boolean }
  | { readonly kind: "level-gone"; readonly level: string }
  | { readonly kind: "approval"; readonly level: string; readonly untilMs: number }
  | { readonly kind: "refused"; readonly level: string; readonly by: string }
  | { readonly kind: "not-approved"; readonly level: string; readonly withinMs: number }
  | { readonly kind: "acting"; readonly level: string; readonly target: Target }
  | { readonly kind: "quiet"; readonly level: string; readonly target: Target; readonly untilMs: number }
  | { readonly kind: "own-check"; readonly level: string; readonly target: Target; readonly untilMs: number }
  | { readonly kind: "retry"; readonly level: string; readonly target: Target; readonly untilMs: number }
  | { readonly kind: "waits-for-run"; readonly escalation: EscalationId; readonly target: Target }
  | { readonly kind: "waits-for-level"; readonly target: Target; readonly check: CheckId }
  | { readonly kind: "nothing-to-act-on"; readonly level: string; readonly target: Target }
  | { readonly kind: "paused"; readonly target: Target; readonly by: string; readonly untilMs: number }
  | { readonly kind: "needs-human"; readonly target: Target; readonly escalation: EscalationId }
  | { readonly kind: "network-down" }
  | { readonly kind: "blind"; readonly silent: number; readonly of: number }
  | { readonly kind: "mass-failure"; readonly failing: number; readonly machines: number; readonly withinMs: number }
  | { readonly kind: "budget"; readonly most: number; readonly untilMs: number }
  | { readonly kind: "at-once"; readonly pool: Target; readonly most: number }
  | { readonly kind: "min-healthy"; readonly pool: Target; readonly least: number; readonly healthy: number }
  | { readonly kind: "too-many-runs"; readonly most: number };

/** A reason in words: a lower-case fragment. Times are left out, because they are printed beside it. */
export function describeReason(reason: Reason): string {
  switch (reason.kind) {
    case "settling":
      return `${list(reason.checks)} fails; it may mend itself before anything is done`;
    case "recovered":
      return `${list(reason.checks)} recovered by itself`;
    case "begun":
      return `${list(reason.checks)} still fails and asks for level "${reason.level}" on ${reason.target}${reason.attempt > 1 ? `, attempt ${reason.attempt}` : ""}`;
    case "absorbed":
      return `the run of level "${reason.level}" on ${reason.target} does this too`;
    case "tried-in-vain":
      return `${reason.check} fails again after ${count(reason.tried, "attempt")}, and the ladder knows nothing more`;
    case "next-level":
      return `next is level "${reason.level}"`;
    case "done":
      return `${count(reason.steps, "step")} passed`;
    case "level-failed":
      return `level "${reason.level}" failed on ${reason.target} after ${count(reason.attempts, "attempt")}: ${reason.why}`;
    case "failed-but-quiet":
      return `level "${reason.level}" failed on ${reason.target}: ${reason.why}; no check asks for more`;
    case "attempt":
      return `level "${reason.level}" on ${reason.target}, attempt ${reason.attempt}`;
    case "repeated":
      return `level "${reason.level}" on ${reason.target} was cut short by the end of a server and is repeated (${reason.interruptions})`;
    case "interrupted-often":
      return `a server died ${reason.interruptions} times while it acted`;
    case "verdict":
      return `level "${reason.level}" on ${reason.target} ${reason.verdict}: ${reason.why}`;
    case "skipped":
      return `level "${reason.level}" leaves ${reason.target} alone: ${reason.why}`;
    case "overdue":
      return `it took longer than ${formatDuration(reason.timeoutMs)}`;
    case "stopped":
      return `stopped by ${reason.by}`;
    case "mode-changed":
      return reason.isDryRun ? "the space became a dry run" : "the dry run ended";
    case "level-gone":
      return `the ladder has no level "${reason.level}" any more`;
    case "approval":
      return `level "${reason.level}" waits for a person to approve it`;
    case "refused":
      return `${reason.by} refused level "${reason.level}"`;
    case "not-approved":
      return `nobody approved level "${reason.level}" within ${formatDuration(reason.withinMs)}`;
    case "acting":
      return `level "${reason.level}" acts on ${reason.target}`;
    case "quiet":
      return `the quiet period of level "${reason.level}" on ${reason.target}`;
    case "own-check":
      return `the check of level "${reason.level}" on ${reason.target}`;
    case "retry":
      return `the next attempt of level "${reason.level}" on ${reason.target}`;
    case "waits-for-run":
      return `the run on ${reason.target} that is under way`;
    case "waits-for-level":
      return `${reason.check}, which is more fundamental, is mended first on ${reason.target}`;
    case "nothing-to-act-on":
      return `level "${reason.level}" found nothing on ${reason.target} that it may act on`;
    case "paused":
      return `${reason.target} is paused by ${reason.by}`;
    case "needs-human":
      return `nobody has acknowledged yet that ${reason.target} needs a person`;
    case "network-down":
      return "the server's own network is down, so its checks say nothing";
    case "blind":
      return `${reason.silent} of ${reason.of} probes see nothing, so the checks say nothing`;
    case "mass-failure":
      return `${reason.failing} of ${reason.machines} machines failed within ${formatDuration(reason.withinMs)}; rebuilding them could make it worse`;
    case "budget":
      return `the budget of ${count(reason.most, "action")} an hour is used up`;
    case "at-once":
      return `${count(reason.most, "machine")} of ${reason.pool} may be acted on at once`;
    case "min-healthy":
      return `${reason.pool} has ${reason.healthy} healthy machines and keeps at least ${reason.least}`;
    case "too-many-runs":
      return `${reason.most} runs are open already`;
    default:
      return reason satisfies never;
  }
}

function list(checks: readonly string[]): string {
  return checks.length > 3 ? `${checks.slice(0, 3).join(", ")} and ${checks.length - 3} more` : checks.join(", ");
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
