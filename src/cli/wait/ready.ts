import type { AppStatus, AppSummary } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import type { AppReference } from "../arguments.ts";
import type { Session } from "../command.ts";
import { describeApp, describeSummary } from "../output/app-line.ts";
import { until } from "./until.ts";

/** Longer than any deploy's own deadline by default (5 minutes), and than a canary with its holds. */
const defaultTimeoutMs = 30 * 60_000;

export interface Awaited extends AppReference {
  /** The release that has to be active; null: whichever is. */
  readonly release: number | null;
}

type Seen = Pick<
  AppSummary,
  "health" | "target" | "active" | "rollout" | "lastFailure" | "stopped" | "urls" | "reasons" | "space" | "name"
>;

/**
 * Waits until each app runs as it should, with progress.
 * @throws {DroverError} RELEASE_FAILED, CONFLICT when a newer release took over, TIMED_OUT with the reasons
 */
export async function waitUntilReady(session: Session, apps: readonly Awaited[]): Promise<readonly Seen[]> {
  if (apps.length === 0) return [];
  const [only] = apps;
  return apps.length === 1 && only !== undefined ? [await waitForOne(session, only)] : waitForMany(session, apps);
}

async function waitForOne(session: Session, app: Awaited): Promise<AppStatus> {
  let last: AppStatus | null = null;
  const found = await until(
    session,
    timing(session, () => (last === null ? [] : [last]), `"${app.space}/${app.app}" did not become ready`),
    async (signal) => {
      last = await session.api.call<AppStatus>("GET", apiPath(["spaces", app.space, "apps", app.app]), signal);
      session.progress.show(describeApp(last));
      return isSettled(last, app) ? last : null;
    },
  );
  session.progress.clear();
  return found;
}

async function waitForMany(session: Session, apps: readonly Awaited[]): Promise<readonly Seen[]> {
  const spaces = [...new Set(apps.map((app) => app.space))];
  let waiting: readonly Seen[] = [];
  const found = await until(
    session,
    timing(session, () => waiting, `${apps.length} apps did not become ready`),
    async (signal) => {
      const lists = await Promise.all(
        spaces.map((space) => session.api.call<{ apps: AppSummary[] }>("GET", apiPath(["spaces", space, "apps"]), signal)),
      );
      const byName = new Map(lists.flatMap((list) => list.apps).map((app) => [`${app.space}/${app.name}`, app]));
      const seen = apps.flatMap((app) => {
        const summary = byName.get(`${app.space}/${app.app}`);
        return summary === undefined ? [] : [{ app, summary, isSettled: isSettled(summary, app) }];
      });
      waiting = seen.filter((one) => !one.isSettled).map((one) => one.summary);
      const readyCount = apps.length - waiting.length;
      session.progress.show([
        `${readyCount} of ${apps.length} apps ready`,
        ...seen.filter((one) => !one.isSettled).map((one) => describeSummary(one.summary)),
      ]);
      return waiting.length === 0 ? seen.map((one) => one.summary) : null;
    },
  );
  session.progress.clear();
  return found;
}

function timing(session: Session, waiting: () => readonly Seen[], message: string) {
  return {
    timeoutMs: session.common.timeoutMs ?? defaultTimeoutMs,
    late: () => {
      const apps = waiting();
      const reasons = apps.flatMap((app) => app.reasons.slice(0, 1).map((reason) => `${app.space}/${app.name}: ${reason.message}`));
      const [first] = apps;
      return {
        message: reasons.length === 0 ? message : `${message} (${reasons.slice(0, 3).join("; ")})`,
        details: { waiting: apps.map((app) => ({ space: app.space, app: app.name, health: app.health, reasons: app.reasons })) },
        ...(first === undefined
          ? {}
          : { hint: `It goes on without this command; "drover why ${first.space}/${first.name}" says what it waits for.` }),
      };
    },
  };
}

/** Whether the app is as wanted. @throws {DroverError} if it cannot come true any more. */
function isSettled(seen: Seen, { space, app, release }: Awaited): boolean {
  if (release !== null) {
    const { lastFailure } = seen;
    if (lastFailure !== null && lastFailure.release === release) {
      throw new DroverError("RELEASE_FAILED", `release ${release} of "${space}/${app}" failed: ${lastFailure.failure.reason}`, {
        details: { space, app, release, active: seen.active, lines: lastFailure.failure.lines },
        hint:
          seen.active === null
            ? `See "drover logs ${space}/${app}".`
            : `Release ${seen.active} serves on. See "drover logs ${space}/${app}".`,
      });
    }
    if (seen.target !== null && seen.target > release) {
      throw new DroverError("CONFLICT", `release ${release} of "${space}/${app}" was overtaken by release ${seen.target}`, {
        hint: `Somebody deployed meanwhile: see "drover releases ${space}/${app}".`,
      });
    }
  }
  if (seen.stopped) return seen.health === "stopped";
  return seen.health === "ready" && seen.rollout === null && (release === null || seen.active === release);
}
