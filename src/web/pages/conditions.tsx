import { useEffect } from "preact/hooks";
import { type Condition, conditions, describeCondition } from "#model/conditions.ts";
import { Meaning, SeverityState } from "../parts/condition.tsx";
import { ChoiceFilter, WordFilter } from "../parts/filters.tsx";
import { Nothing } from "../parts/notice.tsx";
import { Section } from "../parts/section.tsx";
import { parameter } from "../state/location.ts";

const all: readonly (readonly [code: string, condition: Condition])[] = Object.entries(conditions);
const severities = ["error", "warning", "info"] as const;
const subjects = [...new Set(all.map(([, { of }]) => of))];

/** Every condition that Drover shows of what it looks after: how bad it is, where it comes from, and what to do. */
export function ConditionsPage() {
  const [words, severity, of] = [parameter("q"), parameter("severity"), parameter("of")];
  useEffect(() => {
    document.title = `${words === "" ? "Conditions" : words} – Drover`;
  }, [words]);
  const shown = found(words).filter(
    ([, condition]) => (severity === "" || condition.severity === severity) && (of === "" || condition.of === of),
  );
  return (
    <>
      <h1 class="unseen">Conditions</h1>
      <Section
        title="Conditions"
        note={shown.length === all.length ? String(all.length) : `${shown.length} of ${all.length}`}
        command={`drover explain ${shown[0]?.[0] ?? "CODE"}`}
        tools={
          <>
            <WordFilter label="Filter conditions by words" />
            <ChoiceFilter
              label="Filter conditions by severity"
              name="severity"
              value={severity}
              choices={[["", "any severity"], ...severities.map((one) => [one, one] as const)]}
            />
            <ChoiceFilter
              label="Filter conditions by what they are of"
              name="of"
              value={of}
              choices={[["", "of anything"], ...subjects.map((one) => [one, `of a ${one}`] as const)]}
            />
          </>
        }
      >
        <ul class="lines" aria-label="Conditions">
          {shown.map(([code, condition]) => (
            <li key={code}>
              <SeverityState condition={condition} />
              <code>{code}</code>
              <span class="muted">of {condition.of}</span>
              <Meaning condition={condition} />
            </li>
          ))}
        </ul>
        {shown.length === 0 && <Nothing>No condition matches.</Nothing>}
      </Section>
    </>
  );
}

/** Those with these words; a whole code is looked up, be it that of an error that is shown as a condition. */
function found(words: string): typeof all {
  const exact = describeCondition(words);
  if (exact !== null) return [[words, exact]];
  const wanted = words.toLowerCase();
  return all.filter(([code, { cause, remedy }]) => `${code} ${cause} ${remedy}`.toLowerCase().includes(wanted));
}
