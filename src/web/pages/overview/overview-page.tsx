import { useEffect } from "preact/hooks";
import type { AppSummary } from "#model/api.ts";
import { count } from "../../parts/format.ts";
import { ErrorNotice } from "../../parts/notice.tsx";
import { followApps, apps as liveApps } from "../../state/apps.ts";
import { useInstallation } from "../../state/installation.ts";
import { space } from "../../state/location.ts";
import { useWhile } from "../../state/use.ts";
import { useWatched } from "../../state/watched.ts";
import { AppTable } from "./app-table.tsx";
import { Attention } from "./attention.tsx";
import { Machines } from "./machines.tsx";

/** Whether all is well, in ten seconds; and if not, what is not. */
export function OverviewPage() {
  useWhile("apps", followApps);
  const installation = useInstallation();
  const watched = useWatched(space.value === null ? installation.value?.spaces.map(({ name }) => name) : [space.value]);
  const apps =
    liveApps.value === null ? null : [...liveApps.value.values()].filter((app) => space.value === null || app.space === space.value);
  useEffect(() => {
    document.title = `${space.value ?? "All spaces"} – Drover`;
  }, [space.value]);
  return (
    <>
      <h1 class="unseen">Overview</h1>
      <ErrorNotice error={installation.error} />
      {apps !== null && <Summary apps={apps} />}
      <Attention apps={apps ?? []} problems={installation.value?.problems ?? []} watched={watched} />
      <AppTable apps={apps} />
      <Machines status={installation.value} />
    </>
  );
}

/** One line that says it all. */
function Summary({ apps }: { readonly apps: readonly AppSummary[] }) {
  const ready = apps.filter(({ health }) => health === "ready").length;
  const troubled = apps.filter(({ health }) => health === "down" || health === "degraded").length;
  const moving = apps.filter(({ health }) => health === "deploying" || health === "starting").length;
  const instances = apps.reduce((sum, app) => sum + app.ready, 0);
  const wanted = apps.reduce((sum, app) => sum + app.wanted, 0);
  return (
    <dl class="figures">
      <Figure name="apps" value={String(apps.length)} />
      <Figure name="ready" value={String(ready)} tone={ready === apps.length ? "good" : undefined} />
      <Figure name="in trouble" value={String(troubled)} tone={troubled > 0 ? "bad" : undefined} />
      <Figure name="moving" value={String(moving)} tone={moving > 0 ? "busy" : undefined} />
      <Figure name={`of ${count(wanted, "instance")} ready`} value={String(instances)} tone={instances < wanted ? "warn" : undefined} />
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
