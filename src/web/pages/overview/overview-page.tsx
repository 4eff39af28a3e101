import { useEffect } from "preact/hooks";
import type { AppSummary, StatusView } from "#model/api.ts";
import { count } from "../../parts/format.ts";
import { ErrorNotice, Loading } from "../../parts/notice.tsx";
import { State } from "../../parts/state.tsx";
import { followApps, apps as liveApps } from "../../state/apps.ts";
import { useInstallation } from "../../state/installation.ts";
import { space } from "../../state/location.ts";
import { useWhile } from "../../state/use.ts";
import { useWatched, type Watched } from "../../state/watched.ts";
import { AppTable } from "./app-table.tsx";
import { Machines } from "./machines.tsx";
import { Now } from "./now.tsx";
import { attentionOf, verdictOf } from "./verdict.ts";

/** Whether all is well, in ten seconds; and if not, what is not. */
export function OverviewPage() {
  useWhile("apps", followApps);
  const installation = useInstallation();
  const watched = useWatched(space.value === null ? installation.value?.spaces.map(({ name }) => name) : [space.value]);
  const apps =
    liveApps.value === null ? null : [...liveApps.value.values()].filter((app) => space.value === null || app.space === space.value);
  const isKnown = apps !== null && installation.value !== null && watched.value !== null;
  const attention = attentionOf({
    apps: apps ?? [],
    problems: installation.value?.problems ?? [],
    machines: installation.value?.machines ?? [],
    watched: watched.value ?? { checks: [], runs: [] },
  });
  const verdict = verdictOf(attention);
  const title = `${isKnown && verdict.count > 0 ? `(${verdict.count}) ` : ""}${space.value ?? "All spaces"} – Drover`;
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <>
      <h1 class={isKnown ? undefined : "unseen"}>
        {isKnown ? <State tone={verdict.tone} word={verdict.words} /> : "Overview"}
        {isKnown && installation.error !== null && <small> when the server last answered</small>}
      </h1>
      <ErrorNotice error={installation.error ?? watched.error} />
      {apps === null && <Loading />}
      {apps !== null && <Summary apps={apps} status={installation.value} watched={watched.value} />}
      {isKnown && <Now attention={attention} checks={watched.value?.checks.length ?? 0} />}
      <AppTable apps={apps} />
      <Machines status={installation.value} />
    </>
  );
}

interface SummaryProps {
  readonly apps: readonly AppSummary[];
  readonly status: StatusView | null;
  readonly watched: Watched | null;
}

/** How much of everything is as it should be. */
function Summary({ apps, status, watched }: SummaryProps) {
  const ready = apps.filter(({ health }) => health === "ready").length;
  const troubled = apps.filter(({ health }) => health === "down" || health === "degraded").length;
  const moving = apps.filter(({ health }) => health === "deploying" || health === "starting").length;
  // A deploy runs more than are wanted, which makes up for none that another app lacks.
  const instances = apps.reduce((sum, app) => sum + Math.min(app.ready, app.wanted), 0);
  const wanted = apps.reduce((sum, app) => sum + app.wanted, 0);
  const machines = status?.machines ?? [];
  const linked = machines.filter(({ linked }) => linked).length;
  const checks = watched?.checks ?? [];
  const holding = checks.filter(({ verdict }) => verdict !== "failing").length;
  return (
    <dl class="figures">
      <Figure name={`of ${count(apps.length, "app")} ready`} value={String(ready)} tone={ready === apps.length ? "good" : undefined} />
      {troubled > 0 && <Figure name="in trouble" value={String(troubled)} tone="bad" />}
      {moving > 0 && <Figure name="moving" value={String(moving)} tone="busy" />}
      <Figure name={`of ${count(wanted, "instance")} ready`} value={String(instances)} tone={instances < wanted ? "warn" : undefined} />
      {machines.length > 0 && (
        <Figure
          name={`of ${count(machines.length, "machine")} linked`}
          value={String(linked)}
          tone={linked < machines.length ? "bad" : undefined}
        />
      )}
      {checks.length > 0 && (
        <Figure
          name={`of ${count(checks.length, "check")} passing`}
          value={String(holding)}
          tone={holding < checks.length ? "bad" : undefined}
        />
      )}
    </dl>
  );
}

function Figure({ name, value, tone }: { readonly name: string; readonly value: string; readonly tone?: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
    </div>
  );
}
