import type { AppSummary, StatusView } from "#model/api.ts";
import { Age } from "../../parts/age.tsx";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { HealthState, RunState, State, VerdictState } from "../../parts/state.tsx";
import { appPath, escalatorPath } from "../../state/location.ts";
import type { Loaded } from "../../state/use.ts";
import type { Watched } from "../../state/watched.ts";

/** Lines of one kind: beyond, the list below has them all. */
const shownOfEach = 8;

interface AttentionProps {
  readonly apps: readonly AppSummary[];
  readonly problems: StatusView["problems"];
  readonly watched: Loaded<Watched>;
}

/** What somebody should look at, the most fundamental first; and whether there is nothing. */
export function Attention({ apps, problems, watched }: AttentionProps) {
  const troubled = apps.filter(({ health }) => health === "down" || health === "degraded");
  const deploying = apps.filter(({ rollout }) => rollout !== null);
  const failing = (watched.value?.checks ?? []).filter(({ verdict, isSilent }) => verdict === "failing" && !isSilent);
  // Those have a line and a link of their own.
  const others = problems.filter(({ code }) => code !== "CHECK_FAILING" && code !== "PERSON_NEEDED");
  const runs = watched.value?.runs ?? [];
  const isCalm = others.length + troubled.length + deploying.length + failing.length + runs.length === 0;
  const checks = watched.value?.checks.length ?? 0;
  return (
    <Section title="Now" command="drover status">
      <ErrorNotice error={watched.error} />
      <ul class="lines">
        {isCalm && (
          <li>
            <State tone="good" word="all is well" />
            <span class="muted">{checks === 0 ? "no checks are declared" : `${count(checks, "check")} watched`}</span>
          </li>
        )}
        {others.map(({ code, message }) => (
          <li key={code + message}>
            <State tone="bad" word="problem" />
            <span>{message}</span>
            <code>{code}</code>
          </li>
        ))}
        {runs.map((run) => (
          <li key={run.space + run.id}>
            <RunState state={run.state} />
            <Link to={escalatorPath(run.space, `runs/${run.id}`)}>
              escalation of {run.target} in {run.space}
            </Link>
            <span class="muted">
              {run.level === null ? "" : `level ${run.at ?? run.level}, `}
              {run.waitingFor === null ? "" : `waits for ${run.waitingFor}, `}
              <Age atMs={run.openedAtMs} />
            </span>
          </li>
        ))}
        {failing.slice(0, shownOfEach).map((check) => (
          <li key={check.space + check.id}>
            <VerdictState verdict={check.verdict} />
            <Link to={escalatorPath(check.space, "checks")}>
              check {check.id} in {check.space}
            </Link>
            <span class="muted">
              {check.message}, <Age atMs={check.sinceMs} />
            </span>
          </li>
        ))}
        <More shown={shownOfEach} of={failing.length} what="failing check" />
        {troubled.slice(0, shownOfEach).map((app) => (
          <li key={`${app.space}/${app.name}`}>
            <HealthState health={app.health} />
            <Link to={appPath({ space: app.space, app: app.name })}>
              {app.space}/{app.name}
            </Link>
            <span class="muted">{app.reasons[0]?.message ?? `${app.ready} of ${app.wanted} ready`}</span>
          </li>
        ))}
        <More shown={shownOfEach} of={troubled.length} what="app in trouble" many="apps in trouble" />
        {deploying.slice(0, shownOfEach).map((app) => (
          <li key={`${app.space}/${app.name} deploys`}>
            <State tone="busy" word="deploying" />
            <Link to={appPath({ space: app.space, app: app.name })}>
              {app.space}/{app.name}
            </Link>
            <span class="muted">
              release {app.rollout?.release} has {Math.round((app.rollout?.weight ?? 0) * 100)} % of the traffic
              {app.rollout?.waitingFor[0] === undefined ? "" : `, waits for ${app.rollout.waitingFor[0]}`}
            </span>
          </li>
        ))}
        <More shown={shownOfEach} of={deploying.length} what="deploy" />
      </ul>
    </Section>
  );
}

function More({ shown, of, what, many }: { readonly shown: number; readonly of: number; readonly what: string; readonly many?: string }) {
  if (of <= shown) return null;
  return <li class="muted">and {count(of - shown, `more ${what}`, many === undefined ? undefined : `more ${many}`)}</li>;
}
