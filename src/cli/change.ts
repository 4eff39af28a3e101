import type { AppStatus, Changed } from "#model/api.ts";
import { apiPath } from "./api/client.ts";
import type { AppReference } from "./arguments.ts";
import type { Session } from "./command.ts";
import { count, took } from "./output/time.ts";
import { waitUntilReady } from "./wait/ready.ts";

export interface Change {
  readonly method: "POST" | "PATCH" | "PUT" | "DELETE";
  /** Last part of the path below the app. */
  readonly action: string;
  readonly body?: unknown;
  /** What was done, in words, such as `scaled`. */
  readonly done: string;
}

/** Asks for a change of one app, waits until it has come true unless --detach says not to, and says so. */
export async function changeApp(session: Session, { space, app }: AppReference, change: Change): Promise<number> {
  const { api, out, clock, common, signal } = session;
  const startedMs = clock.monotonicMs();
  const changed = await api.call<Changed>(change.method, apiPath(["spaces", space, "apps", app, change.action]), signal, {
    body: change.body ?? {},
  });
  const release = changed.release === null ? "" : ` as release ${changed.release}`;
  if (common.detach) {
    if (out.json) out.value(changed);
    else out.line(`${change.done} ${space}/${app}${release}; it goes on by itself`);
    return 0;
  }
  const [seen] = await waitUntilReady(session, [{ space, app, release: changed.release }]);
  if (out.json) out.value({ ...changed, app: seen });
  else out.line(`${change.done} ${space}/${app}${release} in ${took(clock.monotonicMs() - startedMs)}${instancesOf(seen)}`);
  return 0;
}

function instancesOf(seen: object | undefined): string {
  const processes = seen !== undefined && "processes" in seen ? (seen as AppStatus).processes : [];
  if (processes.length === 0) return "";
  return `: ${processes.map((process) => count(process.ready, `${process.name} ready`, `${process.name} ready`)).join(", ")}`;
}
