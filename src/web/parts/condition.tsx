import type { ComponentChildren } from "preact";
import { type Condition, describeCondition } from "#model/conditions.ts";
import { conditionPath } from "../state/location.ts";
import { Link } from "./link.tsx";
import { Sentence } from "./sentence.tsx";
import { State, severityTones } from "./state.tsx";
import { visibleText } from "./visible-text.ts";

interface ReasonProps {
  /** Of the catalogue, or of an error. */
  readonly code: string;
  /** What is so in this case: text from outside. */
  readonly message: string;
}

interface ConditionLineProps extends ReasonProps {
  /** It may pass by itself: what it is of has only begun. */
  readonly isStarting?: boolean;
  /** Another line says the same of this code. */
  readonly isExplained?: boolean;
  /** Where more of it is shown. */
  readonly children?: ComponentChildren;
}

/** A line of a list: what is wrong, how bad that is, where it comes from, and what to do. */
export function ConditionLine({ code, message, isStarting = false, isExplained = false, children }: ConditionLineProps) {
  const condition = describeCondition(code);
  return (
    <li>
      {isStarting && condition?.severity !== "info" ? <State tone="busy" word="not yet" /> : <SeverityState condition={condition} />}
      <span>{visibleText(message)}</span>
      <ConditionCode code={code} />
      {children}
      {!isExplained && <Meaning condition={condition} />}
    </li>
  );
}

/** What is wrong in few words, where there is room for no more: its code says the rest when it is pointed at, and leads there. */
export function ShortReason({ reason }: { readonly reason: ReasonProps | null | undefined }) {
  if (reason == null) return null;
  return (
    <>
      <span class="muted">{visibleText(reason.message)}</span> <ConditionCode code={reason.code} />
    </>
  );
}

export function SeverityState({ condition }: { readonly condition: Condition | null }) {
  const severity = condition?.severity ?? "error";
  return <State tone={severityTones[severity]} word={severity} />;
}

/** Leads to what the catalogue says of it. */
export function ConditionCode({ code }: { readonly code: string }) {
  const condition = describeCondition(code);
  const title = condition === null ? undefined : `${condition.cause} ${condition.remedy}`.replaceAll("`", "");
  return (
    <Link to={conditionPath(code)} class="code" title={title}>
      {visibleText(code)}
    </Link>
  );
}

/** Where it comes from and what to do; nothing for a code that these pages do not know, of a newer agent. */
export function Meaning({ condition }: { readonly condition: Condition | null }) {
  if (condition === null) return null;
  return (
    <p class="meaning">
      <Sentence text={condition.cause} /> <Sentence text={condition.remedy} />
    </p>
  );
}
