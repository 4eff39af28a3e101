import type { EscalationView } from "#model/api-escalations.ts";

/** What a person reads afterwards: what failed, what was done and how long it took, and what to look at. Markdown. */
export function reportOf(run: EscalationView, space: string): string {
  const endMs = run.outcome?.atMs ?? null;
  const lines = [
    `# Escalation on ${run.target} of space ${space}`,
    "",
    `- **Id:** ${run.id}`,
    `- **Opened:** ${iso(run.openedAtMs)}${run.isDryRun ? " (dry run: nothing was done)" : ""}`,
    `- **Ended:** ${endMs === null ? "not yet" : `${iso(endMs)}, after ${took(endMs - run.openedAtMs)}`}`,
    `- **Outcome:** ${run.outcome === null ? (run.waitingFor ?? run.state) : `${run.outcome.kind}: ${run.outcome.reason}`}`,
    "",
    "## What failed",
    "",
    ...run.failed.map(
      ({ check, level, sinceMs, message }) =>
        `- ${code(check)} since ${iso(sinceMs)}, asks for level ${code(level)}: ${escapeMarkdown(message)}`,
    ),
    "",
    "## What was done",
    "",
    ...(run.level === null ? ["Nothing: it was not decided yet, or not needed."] : stepLines(run)),
    ...run.approvals.map(({ level, askedAtMs, decision }) =>
      decision === null
        ? `- approval of level ${code(level)} was asked at ${iso(askedAtMs)}, and nobody decided`
        : `- level ${code(level)} was ${decision.isApproved ? "approved" : "refused"} by ${escapeMarkdown(decision.by)} at ${iso(decision.atMs)}`,
    ),
    "",
    "## What to look at",
    "",
    ...adviceOf(run).map((line) => `- ${line}`),
    "",
  ];
  return lines.join("\n");
}

function stepLines(run: EscalationView): readonly string[] {
  if (run.steps.length === 0) return [`Level ${code(run.level ?? "")} was decided; no step began.`];
  return run.steps.flatMap(({ level, target, attempt, action, startedAtMs, ended, verdict, interruptions }, i) => {
    const word = action === null ? "left alone" : action.kind === "built-in" ? action.name : "command";
    const end =
      ended === null
        ? ""
        : `, ${ended.result}${ended.exitCode === null ? "" : ` (exit ${ended.exitCode})`} after ${took(ended.atMs - startedAtMs)}`;
    const output = (ended?.output ?? "").trimEnd();
    return [
      `${i + 1}. **${escapeMarkdown(level)}** on ${code(target)}: ${word}${attempt > 1 ? `, attempt ${attempt}` : ""}, began ${iso(startedAtMs)}${end}`,
      ...(interruptions > 0 ? [`   - interrupted ${interruptions} times by the end of a server`] : []),
      ...(verdict === null ? [] : [`   - ${verdict.kind}: ${escapeMarkdown(verdict.reason)}`]),
      // Four blanks make a block of code inside of a list, whatever characters the output has.
      ...(output === "" ? [] : ["", ...output.split("\n").map((line) => `       ${printable(line)}`), ""]),
    ];
  });
}

function adviceOf(run: EscalationView): readonly string[] {
  const failed = run.steps.filter(({ verdict }) => verdict?.kind === "failed");
  const kind = run.outcome?.kind;
  return [
    ...(kind === "people" && run.outcome?.acknowledged === null
      ? [`Nothing acts on ${code(run.target)} until someone runs ${code(`drover escalation acknowledge ${run.id}`)}.`]
      : []),
    ...failed.map(
      ({ level, target, verdict }) => `Why level ${code(level)} failed on ${code(target)}: ${escapeMarkdown(verdict?.reason ?? "")}.`,
    ),
    ...run.failed.map(({ check }) => `Since when and how often: ${code(`drover check history ${check}`)}.`),
    ...(kind === "recovered" ? ["It recovered by itself: if that happens often, the check is too eager or the thing is flaky."] : []),
  ];
}

function iso(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

function took(ms: number): string {
  const seconds = ms / 1_000;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Text of others in a paragraph: nothing in it may become a heading, a link or markup. */
function escapeMarkdown(text: string): string {
  return printable(text).replaceAll(/([\\`*_{}[\]<>#|!])/g, "\\$1");
}

function code(text: string): string {
  return `\`${printable(text).replaceAll("`", "'")}\``;
}

export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "�");
}
