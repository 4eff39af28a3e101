import type { AppStatus, InstanceView } from "#model/api.ts";
import { shortInstanceId } from "#model/names.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { Age } from "../../parts/age.tsx";
import { ShortReason } from "../../parts/condition.tsx";
import { HealthHistorySection } from "../../parts/health-history.tsx";
import { InstanceLink } from "../../parts/instance-link.tsx";
import { Link, OutsideLink } from "../../parts/link.tsx";
import { Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { InstanceState } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { appPath } from "../../state/location.ts";
import type { TabProps } from "./app-page.tsx";
import { LiveRollout } from "./live-rollout.tsx";
import { Scaling } from "./scaling.tsx";

/** What runs now, and where it is reached. */
export function InstancesTab({ status }: TabProps) {
  const { space, name, processes, instances, urls } = status;
  return (
    <>
      <LiveRollout status={status} />
      <Section title="Processes" command={`drover ps ${space}/${name}`}>
        {processes.length === 0 && <Nothing>It has no release yet, and so no processes.</Nothing>}
        {processes.length > 0 && <Rows label="Processes" rows={processes} columns={processColumns} keyOf={(one) => one.name} />}
      </Section>
      <Scaling status={status} />
      <Section title="Instances" note={String(instances.length)} command={`drover ps ${space}/${name}`}>
        {instances.length === 0 ? (
          <Nothing>Nothing runs.</Nothing>
        ) : (
          <Rows label="Instances" rows={instances} columns={instanceColumns} keyOf={({ id }) => id} />
        )}
      </Section>
      <HealthHistorySection
        of={["spaces", space, "apps", name]}
        command={`drover health ${space}/${name}`}
        wakes={/^app\.(well|degraded|failing|idle)$/}
        timeline={`/timeline?last=1d&app=${encodeURIComponent(`${space}/${name}`)}`}
      />
      <Section title="Addresses" command={`drover open ${space}/${name}`}>
        <ul class="lines">
          {urls.map((url) => (
            <li key={url}>
              <OutsideLink url={url} />
            </li>
          ))}
          {urls.length === 0 && <li class="muted">It has no routes; other apps reach it by what they need.</li>}
        </ul>
      </Section>
    </>
  );
}

const processColumns: readonly Column<AppStatus["processes"][number]>[] = [
  { name: "process", cell: ({ name }) => name },
  {
    name: "ready",
    isNumber: true,
    cell: ({ ready, wanted }) => (
      <span class={ready < wanted ? "warn" : undefined}>
        {ready}/{wanted}
      </span>
    ),
  },
  { name: "service port", isMinor: true, cell: ({ servicePort }) => servicePort ?? <span class="muted">closed</span> },
  { name: "runs", isWide: true, cell: ({ run }) => <span class="mono">{visibleText(run)}</span> },
];

const instanceColumns: readonly Column<InstanceView>[] = [
  {
    name: "instance",
    cell: (one) => <InstanceLink instance={one} />,
  },
  { name: "state", cell: (one) => <InstanceState instance={one} /> },
  // The name has it too.
  { name: "release", isNumber: true, isMinor: true, cell: ({ release }) => release },
  { name: "restarts", isNumber: true, isMinor: true, cell: ({ restarts }) => restarts },
  { name: "since", cell: ({ startedAtMs, sinceMs }) => <Age atMs={startedAtMs ?? sinceMs} /> },
  { name: "at", isMinor: true, cell: ({ host, port }) => <span class="mono">{port === null ? "" : `${host}:${port}`}</span> },
  {
    name: "why",
    isWide: true,
    isMinor: true,
    cell: ({ reason, exit }) =>
      reason === null && exit !== null ? <span class="muted">{exitWords(exit)}</span> : <ShortReason reason={reason} />,
  },
  { name: "", cell: (one) => <InstanceActions instance={one} /> },
];

function exitWords({ code, signal, outOfMemory }: NonNullable<InstanceView["exit"]>): string {
  const how = signal === null ? `last ended with ${code}` : `last ended by ${signal}`;
  return outOfMemory ? `${how}, out of memory` : how;
}

function InstanceActions({ instance }: { readonly instance: InstanceView }) {
  const { space, app, state } = instance;
  const name = shortInstanceId(instance.id);
  return (
    <span class="actions">
      <Action
        label="Restart"
        explains={`Restarts ${name} in place.`}
        command={`drover restart ${space}/${app} --process ${instance.process}`}
        impossible={state === "running" || state === "backoff" ? null : `It is ${state}.`}
        run={() => call("POST", apiPath(["spaces", space, "apps", app, "instances", name, "restart"]), { body: {} })}
      />
      {state === "running" && <Link to={`${appPath(instance, "terminal")}?instance=${encodeURIComponent(name)}`}>Terminal</Link>}
    </span>
  );
}
