import type { EscalationView } from "#model/api-escalations.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";

export const isNotAsked = "It waits for no approval.";

/** It waits until a person approves, or refuses. */
export function isAsked({ outcome, approvals }: EscalationView): boolean {
  return outcome === null && approvals.some(({ decision }) => decision === null);
}

interface ApproveProps {
  readonly space: string;
  readonly run: EscalationView;
  readonly onDone: () => void;
}

export function Approve({ space, run, onDone }: ApproveProps) {
  const { id, target, at } = run;
  return (
    <Action
      label="Approve"
      explains={`Lets the escalation of ${target} go on${at === null ? "" : ` with level ${at}`}.`}
      command={`drover escalation approve ${id} --space ${space}`}
      impossible={isAsked(run) ? null : isNotAsked}
      run={() => call("POST", apiPath(["spaces", space, "escalations", id, "approve"]), { body: { isApproved: true } })}
      onDone={onDone}
    />
  );
}
