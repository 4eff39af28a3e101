import type { MetricNameView } from "#model/api-metrics.ts";
import { WordFilter } from "../../parts/filters.tsx";
import { Link } from "../../parts/link.tsx";
import { Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { parameter, space, url } from "../../state/location.ts";

const columns: readonly Column<MetricNameView>[] = [
  {
    name: "metric",
    cell: ({ name }) => (
      <Link to={pathOf(name)} class="mono" isCurrent={parameter("name") === name}>
        {name}
      </Link>
    ),
  },
  { name: "type", isMinor: true, cell: ({ type }) => type },
  { name: "series", isNumber: true, cell: ({ series }) => series },
  { name: "meaning", isWide: true, isMinor: true, cell: ({ help }) => <span class="muted">{visibleText(help ?? "")}</span> },
];

/** The same stretch of time, of another metric. */
function pathOf(name: string): string {
  const search = new URLSearchParams({ name });
  if (space.value !== null) search.set("space", space.value);
  for (const kept of ["last", "from", "to", "q"]) {
    const value = url.value.searchParams.get(kept);
    if (value !== null) search.set(kept, value);
  }
  return `/graphs?${search}`;
}

/** All metrics that there are figures of. */
export function MetricTable({ metrics }: { readonly metrics: readonly MetricNameView[] }) {
  const words = parameter("q").toLowerCase();
  const shown = metrics.filter(({ name, help }) => `${name} ${help ?? ""}`.toLowerCase().includes(words));
  return (
    <Section
      title="Metrics"
      note={shown.length === metrics.length ? String(metrics.length) : `${shown.length} of ${metrics.length}`}
      command="drover metrics ls"
      tools={<WordFilter label="Filter metrics by words" />}
    >
      {shown.length === 0 ? (
        <Nothing>No metric has that in its name or meaning.</Nothing>
      ) : (
        <Rows label="Metrics" rows={shown} columns={columns} keyOf={({ name }) => name} />
      )}
    </Section>
  );
}
