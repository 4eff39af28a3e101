import type { Plan, PlannedChange } from "#model/api.ts";
import { pathWords, valueWords } from "#model/plan-words.ts";
import { type Style, styled } from "./style.ts";

const marks: Readonly<Record<PlannedChange["action"], { mark: string; word: string; style: Style }>> = {
  create: { mark: "+", word: "create", style: "green" },
  release: { mark: "~", word: "new release", style: "yellow" },
  update: { mark: "~", word: "update", style: "yellow" },
  destroy: { mark: "-", word: "destroy", style: "red" },
  none: { mark: "=", word: "unchanged", style: "dim" },
};
/** Above this many, what stays as it is is only counted. */
const mostUnchanged = 10;
/** A probe or a map of limits fits; a file in a variable does not. */
const longestValue = 100;

/** A plan, a line a change, in words that stand beside every mark. */
export function describePlan(plan: Plan): string[] {
  const unchanged = plan.changes.filter((change) => change.action === "none" && change.warnings.length === 0);
  const isCounted = unchanged.length > mostUnchanged;
  const shown = isCounted ? plan.changes.filter((change) => !unchanged.includes(change)) : plan.changes;
  const lines = shown.flatMap(describeChange);
  if (isCounted) lines.push(`= ${unchanged.length} ${shown.length === 0 ? "" : "others "}unchanged`);
  return lines;
}

function describeChange(change: PlannedChange): string[] {
  const { mark, word, style } = marks[change.action];
  const name = change.kind !== "app" ? `${change.kind} ${change.name}` : `${change.space}/${change.name}`;
  const lines = [`${styled(style, mark)} ${name}  ${styled(style, word)}`];
  if (change.action === "release" || change.action === "update") {
    for (const { path, from, to } of change.changes) lines.push(`    ${pathWords(path)}: ${value(path, from)} → ${value(path, to)}`);
  }
  for (const warning of change.warnings) lines.push(`    ${styled("yellow", "warning:")} ${warning}`);
  return lines;
}

function value(path: string, one: unknown): string {
  const text = valueWords(path, one);
  return text.length > longestValue ? `${text.slice(0, longestValue - 1)}…` : text;
}
