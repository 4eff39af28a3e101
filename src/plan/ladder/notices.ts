import { massFailureNotice } from "#model/ladder.ts";
import { massFailure } from "./guards.ts";
import type { Pass } from "./pass.ts";
import { describeReason } from "./reasons.ts";

/** What people have to know is a state, not an event: each is told once when it begins, and cleared when it is over. */
export function tellPeople(pass: Pass): void {
  if (pass.blind !== null) pass.notices.set("blind", describeReason(pass.blind));
  const mass = massFailure(pass);
  if (mass !== null) pass.notices.set(massFailureNotice, describeReason(mass));
  for (const run of pass.runs.values()) {
    if (run.outcome?.kind === "people" && run.outcome.acknowledged === null)
      pass.notices.set(`people:${run.id}`, `${run.target} needs a person: ${run.outcome.reason}`);
    for (const { level, decision } of run.outcome === null ? run.approvals : []) {
      if (decision === null && level === run.at)
        pass.notices.set(`approval:${run.id}:${level}`, `level "${level}" on ${run.target} waits for approval`);
    }
  }
  const told = new Set(pass.input.notices.map(({ key }) => key));
  for (const [key, text] of pass.notices)
    if (!told.has(key)) pass.actions.push({ kind: "tell", notice: { key, sinceMs: pass.input.nowMs, text } });
  for (const key of told) if (!pass.notices.has(key)) pass.actions.push({ kind: "clear", key });
}
