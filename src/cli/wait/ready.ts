import type { AppStatus, AppSummary } from "#model/api.ts";
import { DroverError, type ErrorCode } from "#model/errors.ts";
import { took } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import type { AppReference } from "../arguments.ts";
import type { Session } from "../command.ts";
import { describeApp, describeSummary } from "../output/app-line.ts";
import { until } from "./until.ts";

/** Longer than any deploy's own deadline by default (5 minutes), and than a canary with its holds. */
const defaultTimeoutMs = 30 * 60_000;
/** An app that no rollout moves and that is not ready by now will not become so by waiting: its instances fail. */
const patienceMs = 30_000;

export interface Awaited extends AppReference {
  /** The release that has to be active; null: whichever is. */
  readonly release: number | null;
}

type Seen = Pick<
  AppSummary,
  "health" | "target" | "active" | "rollout" | "lastFailure" | "stopped" | "urls" | "reasons" | "space" | "name"
>;

/**
 * Waits until the app runs as it should and, if it is given, until `isDone` says so too; with progress.
 * @throws {DroverError} RELEASE_FAILED; CONFLICT when a newer release took over; UNHEALTHY, CANNOT_PLACE or TIMED_OUT with the reasons
 */
export async function waitForApp(session: Session, app: Awaited, isDone: (status: AppStatus) => boolean = () => true): Promise<AppStatus> {
  const [seen] = await waitFor(session, [app], async (signal) => {
    const status = await session.api.call<AppStatus>("GET", apiPath(["spaces", app.space, "apps", app.app]), signal);
    return [{ app, seen: status, isDone: isDone(status), lines: describeApp(status) }];
  });
  if (seen === undefined) throw new Error("an app that was waited for is missing from the result");
  return seen;
}

/** As `waitForApp`, for many with one request a look. */
export async function waitForApps(session: Session, apps: readonly Awaited[]): Promise<readonly Seen[]> {
  const [only] = apps;
  if (only === undefined) return [];
  if (apps.length === 1) return [await waitForApp(session, only)];
  const spaces = new Set(apps.map((app) => app.space));
  const [space] = spaces;
  const path = apiPath(["apps"], spaces.size === 1 ? { space } : {});
  return waitFor(session, apps, async (signal) => {
    const listed = await session.api.call<{ apps: AppSummary[] }>("GET", path, signal);
    const byName = new Map(listed.apps.map((app) => [`${app.space}/${app.name}`, app]));
    return apps.flatMap((app) => {
      const seen = byName.get(`${app.space}/${app.app}`);
      return seen === undefined ? [] : [{ app, seen, isDone: true, lines: [describeSummary(seen)] }];
    });
  });
}

interface Look<S extends Seen> {
  readonly app: Awaited;
  readonly seen: S;
  readonly isDone: boolean;
  readonly lines: readonly string[];
}

async function waitFor<S extends Seen>(
  session: Session,
  apps: readonly Awaited[],
  look: (signal: AbortSignal) => Promise<readonly Look<S>[]>,
) {
  const { clock, progress } = session;
  let waiting: readonly Look<S>[] = [];
  let movedMs = clock.monotonicMs();
  const late = () => notReady(apps, waiting);
  const found = await until(session, { timeoutMs: session.common.timeoutMs ?? defaultTimeoutMs, late }, async (signal) => {
    const looks = await look(signal);
    waiting = looks.filter((one) => !(isSettled(one.seen, one.app) && one.isDone));
    if (waiting.length === 0) return looks.map((one) => one.seen);
    const summary = apps.length === 1 ? [] : [`${apps.length - waiting.length} of ${apps.length} apps ready`];
    progress.show([...summary, ...waiting.flatMap((one) => one.lines)]);
    if (waiting.some((one) => one.seen.rollout !== null || !isBroken(one.seen))) movedMs = clock.monotonicMs();
    if (clock.monotonicMs() - movedMs > patienceMs) {
      const { message, details, hint, code } = notReady(apps, waiting);
      throw new DroverError(code ?? "UNHEALTHY", `${message} within ${took(patienceMs)}`, { details, hint });
    }
    return null;
  });
  progress.clear();
  return found;
}

function isBroken(seen: Seen): boolean {
  return seen.health === "down" || seen.health === "degraded";
}

function notReady(apps: readonly Awaited[], waiting: readonly { readonly seen: Seen }[]) {
  const seen = waiting.map((one) => one.seen);
  const reasons = seen.flatMap((app) => app.reasons.slice(0, 1).map((reason) => `${app.space}/${app.name}: ${reason.message}`));
  const [first] = seen;
  const what =
    apps.length === 1
      ? `"${apps[0]?.space}/${apps[0]?.app}" did not become ready`
      : `${seen.length} of ${apps.length} apps did not become ready`;
  const cannotPlace: ErrorCode | undefined = seen.some((app) => app.reasons.some(({ code }) => code === "CANNOT_PLACE"))
    ? "CANNOT_PLACE"
    : undefined;
  return {
    code: cannotPlace,
    message: reasons.length === 0 ? what : `${what} (${reasons.slice(0, 3).join("; ")})`,
    details: { waiting: seen.map((app) => ({ space: app.space, app: app.name, health: app.health, reasons: app.reasons })) },
    hint:
      first === undefined
        ? "It goes on without this command."
        : `It goes on without this command; "drover why ${first.space}/${first.name}" says what it waits for.`,
  };
}

/** Whether the app is as wanted. @throws {DroverError} if it cannot come true any more. */
function isSettled(seen: Seen, { space, app, release }: Awaited): boolean {
  if (release !== null) {
    const { lastFailure } = seen;
    if (lastFailure !== null && lastFailure.release === release && seen.active !== release) {
      throw new DroverError(lastFailure.failure.code, `release ${release} of "${space}/${app}" failed: ${lastFailure.failure.reason}`, {
        details: { space, app, release, active: seen.active, lines: lastFailure.failure.lines },
        hint: `${seen.active === null ? "" : `Release ${seen.active} serves on. `}See "drover why ${space}/${app}" and "drover logs ${space}/${app}".`,
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
