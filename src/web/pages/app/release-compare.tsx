import type { ReleaseView } from "#model/api.ts";
import { ChoiceFilter } from "../../parts/filters.tsx";
import { Section } from "../../parts/section.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { parameter } from "../../state/location.ts";
import { type Difference, differences } from "./release-differences.ts";

interface CompareProps {
  /** The newest first. */
  readonly releases: readonly ReleaseView[];
  readonly active: number | null;
}

/** What differs between two releases of one's choice. The newest and the active one are compared until something else is chosen. */
export function Compare({ releases, active }: CompareProps) {
  const [newest, second] = releases;
  if (newest === undefined || second === undefined) return null;
  const chosen = (name: string, otherwise: ReleaseView) => releases.find(({ number }) => String(number) === parameter(name)) ?? otherwise;
  const isActive = releases.find(({ number }) => number === active);
  const from = chosen("from", isActive === undefined || isActive === newest ? second : isActive);
  const to = chosen("to", newest);
  const choices = releases.map(({ number }) => [String(number), `release ${number}${number === active ? ", active" : ""}`] as const);
  return (
    <Section
      title="Compare"
      tools={
        <>
          <ChoiceFilter label="From release" name="from" value={String(from.number)} choices={choices} />
          <span aria-hidden="true">→</span>
          <ChoiceFilter label="To release" name="to" value={String(to.number)} choices={choices} />
        </>
      }
    >
      <Differences all={differences(from, to)} none={`Nothing differs between release ${from.number} and release ${to.number}.`} />
    </Section>
  );
}

export function Differences({ all, none }: { readonly all: readonly Difference[]; readonly none: string }) {
  if (all.length === 0) return <p class="muted">{none}</p>;
  return (
    <ul class="differences">
      {all.map(({ what, from, to }) => (
        <li key={what}>
          <span>{what}</span>
          {from !== null && <del class="bad mono">− {visibleText(from)}</del>}
          {to !== null && <ins class="good mono">+ {visibleText(to)}</ins>}
        </li>
      ))}
    </ul>
  );
}
