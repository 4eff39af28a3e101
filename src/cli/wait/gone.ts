import type { AppSummary } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { AppReference } from "../arguments.ts";
import type { Session } from "../command.ts";
import { describeSummary } from "../output/app-line.ts";
import { until } from "./until.ts";

/** Draining and stopping take at most their own times, 20 s by default; an app may ask for longer ones. */
const defaultTimeoutMs = 10 * 60_000;

/** Waits until none of the apps is being destroyed any more, with progress. One that was declared again meanwhile is another app. @throws {DroverError} TIMED_OUT */
export async function waitUntilGone(session: Session, apps: readonly AppReference[]): Promise<void> {
  if (apps.length === 0) return;
  const { api, common, progress } = session;
  const wanted = new Set(apps.map(({ space, app }) => `${space}/${app}`));
  let left: readonly AppSummary[] = [];
  const late = () => ({
    message: `${left.map((app) => `"${app.space}/${app.name}"`).join(", ")} ${left.length === 1 ? "was" : "were"} not gone`,
    details: { left: left.map(({ space, name }) => ({ space, app: name })) },
  });
  await until(session, { timeoutMs: common.timeoutMs ?? defaultTimeoutMs, late }, async (signal) => {
    const listed = await api.call<{ apps: AppSummary[] }>("GET", apiPath(["apps"]), signal);
    left = listed.apps.filter((app) => wanted.has(`${app.space}/${app.name}`) && app.health === "destroying");
    if (left.length === 0) return true;
    progress.show(left.map(describeSummary));
    return null;
  });
  progress.clear();
}
