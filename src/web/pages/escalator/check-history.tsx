import type { CheckChangeView } from "#model/api-escalations.ts";
import { apiPath, call } from "../../api/client.ts";
import { Moment } from "../../parts/moment.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { VerdictState } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { parameter, setParameters } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";

/** Changes that are read: the newest. */
const changesRead = 500;

const columns: readonly Column<CheckChangeView>[] = [
  {
    name: "time",
    cell: ({ atMs }) => (
      <span class="mono">
        <Moment atMs={atMs} />
      </span>
    ),
  },
  { name: "check", cell: ({ check }) => check },
  { name: "became", cell: ({ to }) => <VerdictState verdict={to} /> },
  { name: "because", isWide: true, cell: ({ message }) => <span class="muted">{visibleText(message)}</span> },
];

/** When checks began and ceased to fail: of the one in the address, or of all. */
export function CheckHistory({ space }: { readonly space: string }) {
  const check = parameter("check");
  const { value, error } = useLoad(
    `${space} ${check}`,
    (signal) =>
      call<{ changes: CheckChangeView[] }>(
        "GET",
        apiPath(["spaces", space, "check-history"], { check: check || undefined, limit: changesRead }),
        { signal },
      ),
    { wakes: (event) => event.space === space && event.kind.startsWith("check.") },
  );
  const changes = value?.changes.toReversed() ?? [];
  return (
    <Section
      title={check === "" ? "History" : `History of ${check}`}
      command={`drover check history ${check} --space ${space}`.replace("  ", " ")}
      tools={
        check !== "" && (
          <button type="button" onClick={() => setParameters({ check: "" })}>
            All checks
          </button>
        )
      }
    >
      <ErrorNotice error={error} />
      {value !== null && changes.length === 0 && <Nothing>Nothing has changed yet.</Nothing>}
      {changes.length > 0 && (
        <Rows label="Changes of checks" rows={changes} columns={columns} keyOf={({ check: id, atMs, to }) => `${id} ${atMs} ${to}`} />
      )}
    </Section>
  );
}
