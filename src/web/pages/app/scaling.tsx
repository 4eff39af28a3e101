import type { AppStatus } from "#model/api.ts";
import type { ScalingView } from "#model/api-scaling.ts";
import { apiPath, call } from "../../api/client.ts";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { useLoad } from "../../state/use.ts";

/** As often as the server decides. */
const everyMs = 5_000;

const columns: readonly Column<ScalingView>[] = [
  { name: "process", cell: ({ process }) => process },
  { name: "wanted", isNumber: true, cell: ({ wanted }) => wanted },
  {
    name: "needed",
    isNumber: true,
    cell: ({ needed, wanted }) => <span class={needed !== null && needed > wanted ? "warn" : undefined}>{needed ?? "–"}</span>,
  },
  { name: "bounds", isMinor: true, cell: ({ min, max }) => `${min} to ${max}` },
  {
    name: "because",
    isWide: true,
    cell: ({ because, held }) => [because ?? "not looked at yet", ...(held === null ? [] : [held])].join("; "),
  },
];

/** Processes whose number of instances follows their load; nothing for an app that has none. */
export function Scaling({ status: { space, name, processes } }: { readonly status: AppStatus }) {
  return processes.some(({ bounds }) => bounds !== null) ? <Decisions space={space} name={name} /> : null;
}

function Decisions({ space, name }: Pick<AppStatus, "space" | "name">) {
  const path = apiPath(["spaces", space, "apps", name, "scale"]);
  const { value } = useLoad(path, (signal) => call<{ readonly processes: readonly ScalingView[] }>("GET", path, { signal }), { everyMs });
  if (value === null) return null;
  return (
    <Section title="Scaling" command={`drover scale ${space}/${name}`}>
      <Rows label="Scaling" rows={value.processes} columns={columns} keyOf={({ process }) => process} />
    </Section>
  );
}
