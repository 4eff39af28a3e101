import type { AppStatus, Changed } from "#model/api.ts";
import { took } from "#model/quantities.ts";
import { apiPath } from "./api/client.ts";
import type { AppReference } from "./arguments.ts";
import type { Session } from "./command.ts";
import { waitForApp } from "./wait/ready.ts";

export interface Change {
  readonly method: "POST" | "PATCH";
  /** Last part of the path below the app. */
  readonly action: string;
  readonly body?: unknown;
  /** What was done, in words, such as `scaled`. */
  readonly done: string;
  /** What is said instead when all was so already, such as `is stopped already`. */
  readonly already: string;
  /** Whether it is a release of its own that has to become active. */
  readonly makesRelease?: true;
  /** What has to be true besides the app being ready; asked only once the server knows all that runs of it. */
  readonly isDone?: (status: AppStatus) => boolean;
}

/** Asks for a change of one app, waits until it has come true unless --detach says not to, and says so. */
export async function changeApp(session: Session, { space, app }: AppReference, change: Change): Promise<number> {
  const { api, out, clock, common, signal } = session;
  const startedMs = clock.monotonicMs();
  const path = apiPath(["spaces", space, "apps", app, change.action]);
  const changed = await api.call<Changed>(change.method, path, signal, { body: change.body ?? {} });
  // A server of an older version does not say.
  const isSame = changed.changed === false;
  const release = change.makesRelease !== true || changed.release === null || isSame ? "" : ` as release ${changed.release}`;
  if (common.detach) {
    if (out.json) out.value(changed);
    else out.line(isSame ? nothingChanged(space, app, change) : `${change.done} ${space}/${app}${release}; it goes on by itself`);
    return 0;
  }
  // A release that failed earlier is no failure of a change that makes none.
  const awaited = change.makesRelease === true && !isSame ? changed.release : null;
  const { isDone = () => true } = change;
  // Of a server that has just started: one of an older version does not say.
  const status = await waitForApp(session, { space, app, release: awaited }, (seen) => seen.known !== false && isDone(seen));
  if (out.json) out.value({ ...changed, app: status });
  else if (isSame) out.line(`${nothingChanged(space, app, change)}${readyWords(status)}`);
  else out.line(`${change.done} ${space}/${app}${release} in ${took(clock.monotonicMs() - startedMs)}${readyWords(status)}`);
  return 0;
}

function nothingChanged(space: string, app: string, { already }: Change): string {
  return `nothing changed: ${space}/${app} ${already}`;
}

function readyWords({ processes, stopped }: AppStatus): string {
  if (stopped || processes.length === 0) return "";
  return `: ${processes.map((process) => `${process.name} ${Math.min(process.ready, process.wanted)}/${process.wanted} ready`).join(", ")}`;
}
