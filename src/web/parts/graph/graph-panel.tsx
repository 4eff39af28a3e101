import type { MetricNameView } from "#model/api-metrics.ts";
import { type FigureQuery, figureCommand, useFigure } from "../../state/figures.ts";
import type { AskedRange } from "../../state/time-range.ts";
import { Link } from "../link.tsx";
import { ErrorNotice, Nothing } from "../notice.tsx";
import { Section } from "../section.tsx";
import { Graph } from "./graph.tsx";

interface GraphPanelProps {
  readonly title: string;
  readonly query: FigureQuery;
  readonly asked: AskedRange;
  /** Metrics that there are; null while that is not known. */
  readonly names: readonly MetricNameView[] | null;
}

/** One graph under a title, from which one goes on to ask more of the same. */
export function GraphPanel({ title, query, asked, names }: GraphPanelProps) {
  const isKnown = names?.some(({ name }) => name === query.name) === true;
  const { value, error } = useFigure(isKnown ? query : null, asked);
  return (
    <Section
      title={title}
      command={figureCommand(query, asked)}
      tools={
        <Link to={explorePath(query, asked)} class="muted">
          explore
        </Link>
      }
    >
      <ErrorNotice error={error} />
      {value !== null && <Graph label={title} answer={value} />}
      {names !== null && !isKnown && <Nothing>Nothing was measured of it yet.</Nothing>}
    </Section>
  );
}

/** The explorer with this question. */
export function explorePath({ name, match = [], fn, aggregate, by, quantile }: FigureQuery, asked: AskedRange): string {
  const search = new URLSearchParams({ name });
  for (const one of match) search.append("match", one);
  for (const [key, value] of Object.entries({ fn, aggregate, by, quantile })) if (value !== undefined) search.set(key, value);
  if (asked.fixed === null) search.set("last", asked.lastName);
  else {
    search.set("from", String(asked.fixed.fromMs));
    search.set("to", String(asked.fixed.toMs));
  }
  return `/graphs?${search}`;
}
