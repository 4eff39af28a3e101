import type { EscalationView } from "#model/api-escalations.ts";

type Step = EscalationView["steps"][number];

/** What is new about an escalation, one line each, as a person reads it who watches. @param before what was known of it; null: nothing */
export function newsOf(before: EscalationView | null, run: EscalationView): readonly string[] {
  const lines: string[] = [];
  if (before === null) lines.push(`${run.isDryRun ? "(dry run) " : ""}fails: ${checksOf(run)}`);
  if (run.begunAtMs !== null && (before === null || before.begunAtMs === null))
    lines.push(`begins at level ${run.level}, for ${checksOf(run)}`);
  for (const approval of run.approvals) {
    const known = before?.approvals.find(({ level }) => level === approval.level);
    if (known === undefined) lines.push(`waits for approval of level ${approval.level}: drover escalation approve ${run.id}`);
    if (approval.decision !== null && (known === undefined || known.decision === null))
      lines.push(`level ${approval.level} was ${approval.decision.isApproved ? "approved" : "refused"} by ${approval.decision.by}`);
  }
  for (const step of run.steps) {
    const known = before?.steps.find(({ id }) => id === step.id) ?? null;
    lines.push(...stepNews(known, step));
  }
  if (run.stop !== null && (before === null || before.stop === null)) lines.push(`${run.stop.by} stops it`);
  if (run.outcome !== null && (before === null || before.outcome === null))
    lines.push(`ends: ${wordOf(run.outcome.kind)}: ${run.outcome.reason}`);
  if (run.outcome?.acknowledged && !before?.outcome?.acknowledged) lines.push(`${run.outcome.acknowledged.by} has taken note`);
  return lines;
}

function stepNews(before: Step | null, step: Step): readonly string[] {
  const { level, target, attempt, action, startedAtMs, ended, verdict, interruptions } = step;
  const what = `${level} on ${target}`;
  const lines: string[] = [];
  if (before === null && action !== null) {
    const does = action.kind === "built-in" ? action.name : action.run;
    lines.push(`${what}: ${does}${attempt > 1 ? `, attempt ${attempt}` : ""}`);
  }
  if (before !== null && interruptions > before.interruptions) lines.push(`${what}: goes on after the server was gone`);
  if (ended !== null && (before === null || before.ended === null)) {
    const last = ended.output.trimEnd().split("\n").at(-1) ?? "";
    lines.push(`${what}: ${ended.result} after ${((ended.atMs - startedAtMs) / 1_000).toFixed(1)} s${last === "" ? "" : `: ${last}`}`);
  }
  // That it passed follows from what comes next; the rest needs its reason.
  if (verdict !== null && verdict.kind !== "passed" && (before === null || before.verdict === null))
    lines.push(`${what}: ${verdict.kind}: ${verdict.reason}`);
  return lines;
}

/** How it ended, in words that need no knowledge of the record. */
function wordOf(kind: string): string {
  if (kind === "people") return "people are needed";
  return kind === "recovered" ? "recovered by itself" : kind;
}

/** The first checks by name, and how many more. */
function checksOf({ failed }: EscalationView): string {
  const most = 3;
  const names = failed.slice(0, most).map(({ check }) => check);
  return failed.length > most ? `${names.join(", ")} and ${failed.length - most} more` : names.join(", ");
}
