import { useEffect } from "preact/hooks";
import type { CheckView, EscalationView, LadderView } from "#model/api-escalations.ts";
import { apiPath, call } from "../../api/client.ts";
import type { PageProps } from "../../app.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { Tabs } from "../../parts/tabs.tsx";
import { escalatorPath } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";
import { CheckHistory } from "./check-history.tsx";
import { CheckTable } from "./check-table.tsx";
import { LadderDrawing } from "./ladder-drawing.tsx";
import { LadderState } from "./ladder-state.tsx";
import { RunDetails } from "./run-details.tsx";
import { RunList } from "./run-list.tsx";
import { Simulate } from "./simulate.tsx";

/** Runs that the page reads: the newest. */
const runsRead = 100;

const tabs = [
  ["", "Ladder"],
  ["checks", "Checks"],
  ["runs", "Escalations"],
  ["simulate", "Simulate"],
] as const;

export interface SpaceEscalations {
  readonly space: string;
  /** Null when nothing of the space is checked. */
  readonly ladder: LadderView | null;
  readonly checks: readonly CheckView[];
  readonly runs: readonly EscalationView[];
  readonly reload: () => void;
}

/** What watches over a space, how far it goes to mend it, and what it does now. */
export function EscalatorPage({ params: { space = "", tab = "", id } }: PageProps) {
  useEffect(() => {
    document.title = `Escalator of ${space} – Drover`;
  }, [space]);
  const { value, error, reload } = useLoad(
    space,
    async (signal) => {
      const get = <T,>(what: string, query = {}) => call<T>("GET", apiPath(["spaces", space, what], query), { signal });
      const [{ ladder }, { checks }, { escalations }] = await Promise.all([
        get<{ ladder: LadderView | null }>("ladder"),
        get<{ checks: CheckView[] }>("checks"),
        get<{ escalations: EscalationView[] }>("escalations", { limit: runsRead }),
      ]);
      return { ladder, checks, runs: escalations };
    },
    { everyMs: 3_000, wakes: (event) => event.space === space && /^(check|escalation|ladder|tell|app)\./.test(event.kind) },
  );
  const scene: SpaceEscalations | null = value === null ? null : { space, ...value, reload };
  return (
    <>
      <div class="title">
        <h1>
          <span class="muted">{space}/</span>escalator
        </h1>
        {scene?.ladder != null && <LadderState scene={scene} ladder={scene.ladder} />}
      </div>
      <ErrorNotice error={error} />
      {(scene !== null || error === null) && (
        <Tabs
          label="About the Escalator"
          tabs={tabs.map(([address, name]) => ({ name, to: escalatorPath(space, address), isCurrent: address === tab }))}
        />
      )}
      {scene !== null && (scene.ladder === null ? <NothingChecked /> : <Tab tab={tab} id={id} scene={scene} ladder={scene.ladder} />)}
    </>
  );
}

interface SceneTabProps {
  readonly tab: string;
  readonly id: string | undefined;
  readonly scene: SpaceEscalations;
  readonly ladder: LadderView;
}

function Tab({ tab, id, scene, ladder }: SceneTabProps) {
  const { space, checks } = scene;
  if (tab === "checks") {
    return (
      <>
        <Section title="Checks" note={String(checks.length)} command={`drover check ls --space ${space}`}>
          <CheckTable space={space} checks={checks} />
        </Section>
        <CheckHistory space={space} />
      </>
    );
  }
  if (tab === "runs") return id === undefined ? <RunList scene={scene} /> : <RunDetails scene={scene} id={id} />;
  if (tab === "simulate") return <Simulate space={space} checks={checks} />;
  return <LadderDrawing ladder={ladder} scene={scene} />;
}

function NothingChecked() {
  return (
    <Nothing>
      Nothing of this space is checked. Declare <code>checks</code> in the manifest of an app, or a <code>ladder</code> for the space.
    </Nothing>
  );
}
