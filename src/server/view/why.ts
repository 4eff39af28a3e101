import { type App, asleep, type Release, type Rollout } from "#model/app.ts";
import { describeExit } from "#model/exit.ts";
import { beforeProcess, shortInstanceId } from "#model/names.ts";
import type { Reason } from "#model/workload.ts";
import { isReady } from "#plan/rollout/counts.ts";
import { crashesOf } from "#plan/rollout/failures.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import type { AppProgress } from "../controllers/app-controller.ts";
import type { LostClaim } from "../controllers/route-table.ts";
import type { KnownWorkload } from "../fleet/known.ts";

/** Reasons that one answer names: the first few explain, the hundredth instance with the same trouble does not. */
const instancesNamed = 5;

export interface WhyInput {
  readonly app: App;
  readonly target: Release | null;
  /** The newest release that failed after the active one was made; null if none did. */
  readonly failed: Release | null;
  readonly rollout: Rollout | null;
  readonly workloads: readonly KnownWorkload[];
  readonly isLinked: boolean;
  readonly progress: AppProgress;
  readonly unreadyNeeds: readonly string[];
  readonly lostRoutes: readonly LostClaim[];
}

/** Why an app is not as it should be, in words, the most telling first. Empty when it is, and nothing about it is unsafe. */
export function explain(input: WhyInput): readonly Reason[] {
  const { app, target, failed, workloads, isLinked, progress, unreadyNeeds, lostRoutes } = input;
  const reasons: Reason[] = [];
  const add = (code: Reason["code"], message: string) => {
    if (!reasons.some((reason) => reason.message === message)) reasons.push({ code, message });
  };
  if (app.destroying)
    add("DESTROYING", `it is being destroyed${app.recreate === true ? ", and starts anew after that, because it was declared again" : ""}`);
  else if (app.stopped) add("STOPPED", `it was stopped; "drover start ${app.name}" starts it`);
  if (!isLinked)
    add("AGENT_UNLINKED", "the agent is not linked to the server, so what is shown is what it reported last, and nothing is changed");
  if (progress.trouble !== null) add(progress.trouble.code, progress.trouble.message);
  if (app.destroying || app.stopped) return reasons;

  if (app.target === null) add("NO_RELEASE", "it has no release yet; push its source, or give it a command to run");
  else if (target === null) add("RELEASE_NOT_FOUND", `release ${app.target} is wanted, but is not kept any more`);
  if (failed?.failure) {
    const where = app.active === null ? "" : app.active === app.target ? `; release ${app.active} stays` : "";
    add("RELEASE_FAILED", `release ${failed.number} failed: ${failed.failure.reason}${where}`);
  }
  for (const { words } of progress.unplaced) add("CANNOT_PLACE", words);
  for (const workload of workloads) {
    if (workload.status?.reason && !workload.isRemoving)
      add(workload.status.reason.code, `${nameOf(workload)}: ${workload.status.reason.message}`);
  }
  const inTrouble = troubled(app, workloads);
  for (const instance of inTrouble.slice(0, instancesNamed)) {
    const { code, message } = describe(instance);
    add(code, message);
  }
  const isWhole = reasons.length === 0 && (target === null || target.number === app.active);
  if (!isWhole) for (const need of unreadyNeeds) add("NEED_NOT_READY", `it needs ${need}, which has no ready instance`);
  for (const process of asleep(app)) {
    const { metric, command } = app.scale?.[process] ?? {};
    const also = [
      ...(metric === undefined ? [] : [`what ${metric.metric} counts`]),
      ...(command === undefined ? [] : ["what its command says"]),
    ];
    const starts = also.length === 0 ? "the first request starts one" : `the first request, or ${also.join(" or ")}, starts one`;
    add("ASLEEP", `${process} has no instances, because nobody asks for it; ${starts}`);
  }
  for (const { listener, holder } of lostRoutes) add("ROUTE_CONFLICT", `it does not get ${listener}, because ${holder} has it`);
  // How many are ready says nothing more where each that is not was named.
  const waitingFor =
    inTrouble.length === 0 ? progress.waitingFor : progress.waitingFor.filter((words) => !/: \d+ of \d+ ready$/.test(words));
  for (const words of waitingFor) add("WAITING", `waits for ${words}`);
  // Wanted as it is, and still nothing that should ever be forgotten.
  for (const route of app.routes)
    if ("host" in route && route.policy?.upstream?.protocol === "https" && !route.policy.upstream.verify)
      add("UPSTREAM_UNVERIFIED", `the edge takes any certificate of its instances at ${route.host}${route.path}`);
  return reasons;
}

function nameOf({ name }: KnownWorkload): string {
  return name.process === beforeProcess ? `the before command of release ${name.release}` : `${name.process} of release ${name.release}`;
}

/** Instances that are wanted and not ready: of the target, and of the active release; the worst first. */
function troubled(app: App, workloads: readonly KnownWorkload[]): readonly ObservedInstance[] {
  return workloads
    .filter(
      ({ kind, isRemoving, name }) => kind === "service" && !isRemoving && (name.release === app.target || name.release === app.active),
    )
    .flatMap((workload) => [...workload.instances.values()])
    .filter((instance) => !isReady(instance) && instance.state !== "draining" && instance.state !== "stopping")
    .sort((a, b) => crashesOf(b) - crashesOf(a) || (a.id < b.id ? -1 : 1));
}

function describe(instance: ObservedInstance): Reason {
  const name = shortInstanceId(instance.id);
  const crashes = crashesOf(instance);
  if (instance.exit !== null && (instance.state === "backoff" || crashes > 1)) {
    const times = crashes > 1 ? ` (${crashes} times so far)` : "";
    const next = instance.state === "backoff" ? "; it is started again after a pause" : "";
    const code = instance.exit.outOfMemory ? "OUT_OF_MEMORY" : "CRASHED";
    const also = instance.reason === null || instance.state === "backoff" ? "" : `; now ${instance.reason.message}`;
    return { code, message: `${name} ${describeExit(instance.exit)}${times}${next}${also}` };
  }
  if (instance.reason !== null) return { code: instance.reason.code, message: `${name}: ${instance.reason.message}` };
  if (instance.state === "running") return { code: "NOT_READY", message: `${name} runs but is not ready yet` };
  return { code: "NOT_RUNNING", message: `${name} is ${instance.state}` };
}
