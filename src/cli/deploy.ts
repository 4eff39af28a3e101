import type { Applied, ApplyRequest, Plan } from "#model/api.ts";
import { took } from "#model/quantities.ts";
import { apiPath } from "./api/client.ts";
import type { AppReference } from "./arguments.ts";
import { type BuildTask, buildAll, buildsOf } from "./build.ts";
import type { Session } from "./command.ts";
import type { DocumentFile } from "./documents.ts";
import { describePlan } from "./output/plan-lines.ts";
import { confirm } from "./prompt.ts";
import { waitUntilGone } from "./wait/gone.ts";
import { type Awaited, waitForApps } from "./wait/ready.ts";

export interface Deployment {
  readonly documents: readonly DocumentFile[];
  readonly variables: Readonly<Record<string, string>>;
  readonly prune: boolean;
  readonly force: boolean;
  readonly cause: "apply" | "push";
  /** The builds of a plan; default: those of its sources. */
  readonly builds?: (plan: Plan) => readonly BuildTask[];
}

/** Plans, builds, applies, says what changes, and waits until all of it is ready. */
export async function deploy(session: Session, deployment: Deployment): Promise<number> {
  const { api, out, clock, common, signal } = session;
  const startedMs = clock.monotonicMs();
  const request = applyRequest(session, deployment);

  // A plan costs a round trip, so it is only asked for where something has to be known beforehand.
  let artifacts: Record<string, string> = {};
  if (deployment.prune || mentionsSource(deployment.documents)) {
    const planned = await api.call<Plan>("POST", apiPath(["plan"]), signal, { body: request });
    await confirmDestruction(session, planned);
    const results = await buildAll(session, (deployment.builds ?? ((plan) => buildsOf(plan.changes)))(planned));
    artifacts = Object.fromEntries(Object.entries(results).map(([app, result]) => [app, result.artifact]));
  }
  const applied = await api.call<Applied>("POST", apiPath(["apply"]), signal, { body: { ...request, artifacts } });
  if (!out.json) for (const line of describePlan(applied.plan)) out.line(line);
  if (common.detach) {
    if (out.json) out.value({ ...applied, apps: [] });
    return 0;
  }
  const apps = await waitForApps(session, awaitedApps(applied));
  await waitUntilGone(session, destroyedApps(applied.plan));
  if (out.json) {
    out.value({ ...applied, apps });
    return 0;
  }
  for (const app of apps) for (const url of app.urls) out.line(`${app.space}/${app.name}  ${url}`);
  if (apps.length > 0) session.out.note(`ready in ${took(clock.monotonicMs() - startedMs)}`);
  return 0;
}

export function applyRequest(session: Session, { documents, variables, prune, force, cause }: Deployment): Partial<ApplyRequest> {
  const { space } = session.common;
  return {
    documents: [...documents],
    variables: { ...variables },
    prune,
    force,
    cause,
    ...(space === null ? {} : { space: space as never }),
  };
}

/** Every declared app, unchanged or not, and those that got a release because of what they need. */
function awaitedApps({ plan, releases }: Applied): readonly Awaited[] {
  const awaited = new Map<string, Awaited>();
  for (const { kind, action, space, name } of plan.changes) {
    if (kind === "app" && action !== "destroy") awaited.set(`${space}/${name}`, { space, app: name, release: null });
  }
  for (const one of releases) awaited.set(`${one.space}/${one.app}`, one);
  return [...awaited.values()];
}

function destroyedApps(plan: Plan): readonly AppReference[] {
  return plan.changes.filter(({ kind, action }) => kind === "app" && action === "destroy").map(({ space, name }) => ({ space, app: name }));
}

function mentionsSource(documents: readonly DocumentFile[]): boolean {
  return documents.some(({ text }) => text.includes("source"));
}

async function confirmDestruction(session: Session, plan: Plan): Promise<void> {
  const destroyed = destroyedApps(plan).map(({ space, app }) => `${space}/${app}`);
  if (destroyed.length > 0) await confirm(session, `this destroys ${destroyed.join(", ")}`, null);
}
