import type { EscalationView } from "#model/api-escalations.ts";
import { Age } from "../../parts/age.tsx";
import { Link } from "../../parts/link.tsx";
import { Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { RunState } from "../../parts/state.tsx";
import { escalatorPath } from "../../state/location.ts";
import type { SpaceEscalations } from "./escalator-page.tsx";

/** What was and is done about what failed, the newest first. */
export function RunList({ scene: { space, runs } }: { readonly scene: SpaceEscalations }) {
  const columns: readonly Column<EscalationView>[] = [
    {
      name: "escalation",
      cell: ({ id }) => (
        <Link to={escalatorPath(space, `runs/${id}`)} class="mono">
          {id}
        </Link>
      ),
    },
    { name: "of", cell: ({ target }) => target },
    { name: "state", cell: ({ state }) => <RunState state={state} /> },
    { name: "level", isMinor: true, cell: ({ at, level }) => at ?? level ?? "–" },
    { name: "began", cell: ({ openedAtMs }) => <Age atMs={openedAtMs} /> },
    {
      name: "outcome",
      isWide: true,
      isMinor: true,
      cell: ({ outcome, waitingFor }) => (
        <span class="muted">
          {outcome === null ? (waitingFor === null ? "" : `waits: ${waitingFor}`) : `${outcome.kind}: ${outcome.reason}`}
        </span>
      ),
    },
  ];
  return (
    <Section title="Escalations" note={String(runs.length)} command={`drover escalation ls --space ${space}`}>
      {runs.length === 0 ? (
        <Nothing>Nothing had to be mended yet.</Nothing>
      ) : (
        <Rows label="Escalations" rows={runs} columns={columns} keyOf={({ id }) => id} />
      )}
    </Section>
  );
}
