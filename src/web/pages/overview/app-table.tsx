import type { AppSummary } from "#model/api.ts";
import { ShortReason } from "../../parts/condition.tsx";
import { ChoiceFilter, WordFilter } from "../../parts/filters.tsx";
import { Link, OutsideLink } from "../../parts/link.tsx";
import { Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { HealthState, healthOrder } from "../../parts/state.tsx";
import { appPath, parameter, space } from "../../state/location.ts";

const columns: readonly Column<AppSummary>[] = [
  {
    name: "app",
    cell: ({ space, name }) => (
      <Link to={appPath({ space, app: name })}>
        <span class="muted">{space}/</span>
        {name}
      </Link>
    ),
  },
  { name: "health", cell: ({ health }) => <HealthState health={health} /> },
  { name: "ready", isNumber: true, cell: ({ ready, wanted }) => `${ready}/${wanted}` },
  {
    name: "release",
    isNumber: true,
    cell: ({ active, target }) => (active === target ? (active ?? "–") : `${active ?? "–"} → ${target ?? "–"}`),
  },
  { name: "address", isMinor: true, cell: ({ urls: [url] }) => (url === undefined ? null : <OutsideLink url={url} />) },
  { name: "why", isWide: true, isMinor: true, cell: ({ reasons: [reason] }) => <ShortReason reason={reason} /> },
];

/** All apps, those in trouble first. */
export function AppTable({ apps }: { readonly apps: readonly AppSummary[] | null }) {
  const [words, health] = [parameter("q").toLowerCase(), parameter("health")];
  const shown = (apps ?? [])
    .filter((app) => (health === "" || app.health === health) && `${app.space}/${app.name}`.includes(words))
    .sort(
      (a, b) => healthOrder.indexOf(a.health) - healthOrder.indexOf(b.health) || compare(`${a.space}/${a.name}`, `${b.space}/${b.name}`),
    );
  const note = apps === null ? "" : shown.length === apps.length ? String(apps.length) : `${shown.length} of ${apps.length}`;
  return (
    <Section
      title="Apps"
      note={note}
      command={space.value === null ? "drover apps" : `drover apps --space ${space.value}`}
      tools={
        <>
          <WordFilter label="Filter apps by name" />
          <ChoiceFilter
            label="Filter apps by health"
            name="health"
            value={health}
            choices={[["", "any health"], ...healthOrder.map((one) => [one, one] as const)]}
          />
        </>
      }
    >
      {shown.length > 0 && <Rows label="Apps" rows={shown} columns={columns} keyOf={({ space, name }) => `${space}/${name}`} />}
      {apps !== null && apps.length > 0 && shown.length === 0 && <Nothing>No app matches the filter.</Nothing>}
      {apps?.length === 0 && (
        <Nothing>
          There are no apps yet. <code>drover push</code> in the folder of one makes the first.
        </Nothing>
      )}
    </Section>
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
