import type { EscalationView } from "#model/api-escalations.ts";

/** One thing that happened in an escalation. */
export interface Moment {
  readonly atMs: number;
  readonly tone: "good" | "busy" | "warn" | "bad" | "off";
  readonly word: string;
  readonly text: string;
  readonly output?: string;
  readonly tookMs?: number;
}

/** An escalation as what happened in it, in order of time. */
export function timelineOf(run: EscalationView): readonly Moment[] {
  const moments: Moment[] = [
    ...run.failed.map(
      ({ check, level, sinceMs, message }): Moment => ({
        atMs: sinceMs,
        tone: "bad",
        word: "failed",
        text: `${check}, which asks for ${level}: ${message}`,
      }),
    ),
    { atMs: run.openedAtMs, tone: "busy", word: "opened", text: "it settles first" },
    ...(run.begunAtMs === null ? [] : [{ atMs: run.begunAtMs, tone: "busy", word: "begun", text: `at level ${run.level}` } as const]),
    ...run.approvals.flatMap(({ level, askedAtMs, decision }): Moment[] => [
      { atMs: askedAtMs, tone: "warn", word: "asked", text: `level ${level} needs approval` },
      ...(decision === null
        ? []
        : [
            {
              atMs: decision.atMs,
              tone: decision.isApproved ? "good" : "bad",
              word: decision.isApproved ? "approved" : "refused",
              text: `by ${decision.by}`,
            } as const,
          ]),
    ]),
    ...run.steps.flatMap(momentsOfStep),
    ...(run.stop === null ? [] : [{ atMs: run.stop.atMs, tone: "warn", word: "stopped", text: `by ${run.stop.by}` } as const]),
  ];
  const { outcome } = run;
  if (outcome !== null) {
    const isGood = outcome.kind === "done" || outcome.kind === "recovered";
    moments.push({
      atMs: outcome.atMs,
      tone: isGood ? "good" : outcome.kind === "people" ? "bad" : "off",
      word: outcome.kind,
      text: outcome.reason,
    });
    if (outcome.acknowledged !== null)
      moments.push({ atMs: outcome.acknowledged.atMs, tone: "good", word: "acknowledged", text: `by ${outcome.acknowledged.by}` });
  }
  // Stable: what has the same time stays in the order above.
  return moments.sort((a, b) => a.atMs - b.atMs);
}

function momentsOfStep({
  level,
  target,
  attempt,
  action,
  startedAtMs,
  interruptions,
  ended,
  verdict,
}: EscalationView["steps"][number]): readonly Moment[] {
  const what = action === null ? "nothing to do" : action.kind === "built-in" ? action.name : action.run;
  const again = interruptions === 0 ? "" : `, interrupted ${interruptions}×`;
  return [
    { atMs: startedAtMs, tone: "busy", word: "step", text: `${level} on ${target}, try ${attempt}: ${what}${again}` },
    ...(ended === null
      ? []
      : [
          {
            atMs: ended.atMs,
            tone: ended.result === "ok" ? "good" : "bad",
            word: ended.result,
            text: ended.exitCode === null || ended.exitCode === 0 ? what : `${what} ended with ${ended.exitCode}`,
            output: ended.output,
            tookMs: ended.atMs - startedAtMs,
          } as const,
        ]),
    ...(verdict === null
      ? []
      : [
          {
            atMs: verdict.atMs,
            tone: verdict.kind === "failed" ? "bad" : verdict.kind === "skipped" ? "off" : "good",
            word: verdict.kind,
            text: verdict.reason,
          } as const,
        ]),
  ];
}
