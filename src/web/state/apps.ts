import { signal } from "@preact/signals";
import type { AppSummary, AppsChange } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import { follow, readEvents } from "../api/streams.ts";

/** All apps by `space/app`; null before the first answer. */
export const apps = signal<ReadonlyMap<string, AppSummary> | null>(null);

/** Keeps `apps` up to date until the signal aborts. */
export async function followApps(until: AbortSignal): Promise<void> {
  await follow(async (signal) => {
    for await (const { event, data } of readEvents(apiPath(["apps", "watch"]), signal)) {
      if (event !== "all" && event !== "changed") continue;
      const change = JSON.parse(data) as AppsChange;
      const next = event === "all" ? new Map<string, AppSummary>() : new Map(apps.value);
      for (const app of change.apps) next.set(`${app.space}/${app.name}`, app);
      for (const { space, app } of change.gone) next.delete(`${space}/${app}`);
      apps.value = next;
    }
  }, until);
}
