import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { AppStatus } from "#model/api.ts";
import { type ApiError, apiPath, call } from "../../api/client.ts";
import { follow, readEvents } from "../../api/streams.ts";
import type { PageProps } from "../../app.tsx";
import { ConditionLine } from "../../parts/condition.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { HealthState } from "../../parts/state.tsx";
import { Tabs } from "../../parts/tabs.tsx";
import { appPath } from "../../state/location.ts";
import { useLoad, useWhile } from "../../state/use.ts";
import { AppActions } from "./app-actions.tsx";
import { ChecksTab } from "./checks-tab.tsx";
import { ConfigurationTab } from "./configuration-tab.tsx";
import { InstancesTab } from "./instances-tab.tsx";
import { LogsTab } from "./logs-tab.tsx";
import { MetricsTab } from "./metrics-tab.tsx";
import { ReleasesTab } from "./releases-tab.tsx";
import { RoutesTab } from "./routes-tab.tsx";
import { TerminalTab } from "./terminal-tab.tsx";

export interface TabProps {
  readonly status: AppStatus;
}

const tabs: readonly (readonly [address: string, name: string, tab: ComponentType<TabProps>])[] = [
  ["", "Instances", InstancesTab],
  ["releases", "Releases", ReleasesTab],
  ["routes", "Routes", RoutesTab],
  ["logs", "Logs", LogsTab],
  ["metrics", "Metrics", MetricsTab],
  ["configuration", "Configuration", ConfigurationTab],
  ["checks", "Checks", ChecksTab],
  ["terminal", "Terminal", TerminalTab],
];

/** Everything about one app. */
export function AppPage({ params: { space = "", app = "", tab = "" } }: PageProps) {
  // Logs are a stream of their own; a page holds two at most, the events' among them.
  const { status, error } = useAppStatus(space, app, tab !== "logs");
  useEffect(() => {
    document.title = `${space}/${app} – Drover`;
  }, [space, app]);
  const current = tabs.find(([address]) => address === tab) ?? tabs[0];
  const Tab = current?.[2] ?? InstancesTab;
  return (
    <>
      <div class="title">
        <h1>
          <span class="muted">{space}/</span>
          {app}
        </h1>
        {status !== null && <HealthState health={status.health} />}
        {status !== null && <span class="muted">{releaseWords(status)}</span>}
        <span class="grow" />
        {status !== null && <AppActions status={status} />}
      </div>
      <ErrorNotice error={error} />
      {status !== null && status.reasons.length > 0 && (
        <ul class="reasons lines" aria-label="Why it is so">
          {status.reasons.map(({ code, message }) => (
            <ConditionLine key={code + message} code={code} message={message} isStarting={status.health === "starting"} />
          ))}
        </ul>
      )}
      {(status !== null || error === null) && (
        <Tabs
          label="About the app"
          tabs={tabs.map(([address, name]) => ({ name, to: appPath({ space, app }, address), isCurrent: address === tab }))}
        />
      )}
      {status !== null && <Tab status={status} />}
    </>
  );
}

function releaseWords({ active, target }: AppStatus): string {
  if (target === null) return "no release yet";
  return active === target ? `release ${active}` : `release ${active ?? "none"} → ${target}`;
}

/** The app as it is, changing as it changes. @param isStreamed else it is asked for when an event tells of it */
function useAppStatus(
  space: string,
  app: string,
  isStreamed: boolean,
): { readonly status: AppStatus | null; readonly error: ApiError | null } {
  const key = `${space}/${app}`;
  const path = ["spaces", space, "apps", app];
  const [streamed, setStreamed] = useState<{
    readonly key: string;
    readonly status: AppStatus | null;
    readonly error: ApiError | null;
  } | null>(null);
  useWhile(
    `${key} ${isStreamed}`,
    async (gone) => {
      if (!isStreamed) return;
      await follow(async (signal) => {
        for await (const { event, data } of readEvents(apiPath([...path, "watch"]), signal)) {
          if (event === "status") setStreamed({ key, status: JSON.parse(data) as AppStatus, error: null });
          // Asked for once more, the server says in its own words that it is gone.
          if (event === "gone") break;
        }
      }, gone);
    },
    (error) => setStreamed({ key, status: null, error }),
  );
  const loaded = useLoad(
    `${key} ${isStreamed}`,
    async (signal) => (isStreamed ? null : await call<AppStatus>("GET", apiPath(path), { signal })),
    { wakes: (event) => event.space === space && event.app === app },
  );
  const last = streamed?.key === key ? streamed : null;
  if (isStreamed) return { status: last?.status ?? null, error: last?.error ?? null };
  return { status: loaded.value ?? last?.status ?? null, error: loaded.error };
}
