import type { AppStatus } from "#model/api.ts";
import { Age } from "../../parts/age.tsx";
import { ConditionCode } from "../../parts/condition.tsx";
import { ErrorShare, RequestRate } from "../../parts/rates.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import type { Rates } from "../../state/route-rates.ts";
import { useRoutes } from "../../state/routes.ts";

interface ReleaseShare {
  readonly release: number;
  readonly isNew: boolean;
  readonly instances: number;
  readonly ready: number;
  readonly draining: number;
  /** Of the traffic, from 0 to 1. */
  readonly share: number;
  readonly rates: Rates | undefined;
}

const columns: readonly Column<ReleaseShare>[] = [
  {
    name: "release",
    cell: ({ release, isNew }) => (
      <>
        {release} {isNew && <span class="busy">new</span>}
      </>
    ),
  },
  { name: "ready", isNumber: true, cell: ({ ready, instances }) => `${ready}/${instances}` },
  { name: "draining", isNumber: true, isMinor: true, cell: ({ draining }) => draining },
  { name: "requests/s", isNumber: true, cell: ({ rates }) => <RequestRate rates={rates} /> },
  { name: "errors", isNumber: true, cell: ({ rates }) => <ErrorShare rates={rates} /> },
  {
    name: "share of the traffic",
    isWide: true,
    cell: ({ release, share }) => (
      <>
        <span class="share">{Math.round(share * 100)} %</span>
        <meter min={0} max={1} value={share} aria-label={`Share of release ${release}`} />
      </>
    ),
  },
];

/** A deploy as it goes on; or why the newest one did not come to be. */
export function LiveRollout({ status }: { readonly status: AppStatus }) {
  const { rollout, lastFailure } = status;
  if (rollout !== null) return <Rollout status={status} rollout={rollout} />;
  return lastFailure === null ? null : <Failure failure={lastFailure} />;
}

interface RolloutProps {
  readonly status: AppStatus;
  readonly rollout: NonNullable<AppStatus["rollout"]>;
}

/** Both releases side by side, with their shares of the traffic and how they do with it, and what the deploy waits for. */
function Rollout({ status, rollout }: RolloutProps) {
  const { instances, space, name } = status;
  const routes = useRoutes(space, name);
  const numbers = [...new Set([rollout.release, ...instances.map(({ release }) => release)])].sort((a, b) => b - a);
  const releases = numbers.map((release): ReleaseShare => {
    const own = instances.filter((one) => one.release === release);
    return {
      release,
      isNew: release === rollout.release,
      instances: own.length,
      ready: own.filter(({ ready }) => ready).length,
      draining: own.filter(({ state }) => state === "draining").length,
      share: release === rollout.release ? rollout.weight : release === status.active ? 1 - rollout.weight : 0,
      rates: routes.value?.byRelease.get(release),
    };
  });
  return (
    <Section title="Rollout" note={`to release ${rollout.release}`} command={`drover why ${space}/${name}`}>
      <Rows label="Releases" rows={releases} columns={columns} keyOf={({ release }) => String(release)} />
      <p class="muted">
        Began <Age atMs={rollout.startedAtMs} /> ago.{rollout.waitingFor.map((words) => ` Waits for ${visibleText(words)}.`)}
      </p>
    </Section>
  );
}

/** The newest deploy did not come to be; what is shown runs on. */
function Failure({ failure: { release, failure } }: { readonly failure: NonNullable<AppStatus["lastFailure"]> }) {
  return (
    <Section title={`Release ${release} failed`}>
      <p>
        {visibleText(failure.reason)}, <Age atMs={failure.atMs} /> ago <ConditionCode code={failure.code} />
      </p>
      {failure.lines.length > 0 && <pre class="output">{failure.lines.map(visibleText).join("\n")}</pre>}
    </Section>
  );
}
