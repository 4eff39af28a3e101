import { describeExit } from "#model/exit.ts";
import type { DeployManifest } from "#model/manifest.ts";
import { shortInstanceId } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import { isReady } from "./counts.ts";
import type { ObservedInstance, ObservedWorkload, StepTraffic } from "./input.ts";

/** Crashes of one instance that was never ready after which a release counts as failed without waiting for its deadline. */
const crashesToFail = 3;
/** Answers before a canary is judged: fewer say nothing about a share. */
const requestsToJudge = 20;

/** An instance of the release that crashes again and again and never was ready; the one with the most crashes. */
export function findCrashing(workloads: readonly ObservedWorkload[]): ObservedInstance | null {
  const crashing = workloads
    .flatMap((workload) => workload.instances)
    .filter((instance) => !instance.everReady && instance.exit !== null && crashesOf(instance) >= crashesToFail);
  return worstOf(crashing);
}

export function crashesOf(instance: ObservedInstance): number {
  const isDown = instance.state === "backoff" || instance.state === "exited";
  return instance.restarts + (isDown ? 1 : 0);
}

/** The instance whose trouble tells most about why a release is not ready. */
export function findWorst(workloads: readonly ObservedWorkload[]): ObservedInstance | null {
  return worstOf(workloads.flatMap((workload) => workload.instances).filter((instance) => !isReady(instance)));
}

function worstOf(instances: readonly ObservedInstance[]): ObservedInstance | null {
  const ranked = [...instances].sort((a, b) => crashesOf(b) - crashesOf(a) || (a.id < b.id ? -1 : 1));
  return ranked[0] ?? null;
}

/** What is wrong with an instance, as a sentence without its full stop. */
export function describeTrouble(instance: ObservedInstance): string {
  const name = shortInstanceId(instance.id);
  if (instance.exit !== null && crashesOf(instance) > 0) {
    const crashes = crashesOf(instance);
    return `${name} ${describeExit(instance.exit)}${crashes > 1 ? `, for the ${ordinal(crashes)} time` : ""}`;
  }
  if (instance.reason !== null) return `${name}: ${instance.reason.message}`;
  return instance.state === "running" ? `${name} runs but is not ready` : `${name} is ${instance.state}`;
}

/** Why the answers of the new release are too bad to go on; null when they are not, or are too few to tell. */
export function judgeTraffic(traffic: StepTraffic | null, deploy: DeployManifest, share: number): string | null {
  if (traffic === null || deploy.abort === undefined || traffic.requests < requestsToJudge) return null;
  const at = `at ${percent(share)} of traffic`;
  const errors = traffic.errors / traffic.requests;
  if (deploy.abort.errors !== undefined && errors > deploy.abort.errors)
    return `${at}, ${percent(errors)} of ${traffic.requests} answers were errors; allowed are ${percent(deploy.abort.errors)}`;
  if (deploy.abort.p99 !== undefined && traffic.p99Ms !== null && traffic.p99Ms > deploy.abort.p99)
    return `${at}, the 99th percentile of ${traffic.requests} answers was up to ${Number.isFinite(traffic.p99Ms) ? formatDuration(traffic.p99Ms) : "more than can be measured"}; allowed are ${formatDuration(deploy.abort.p99)}`;
  return null;
}

export function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))}%`;
}

function ordinal(n: number): string {
  const last = n % 100 > 10 && n % 100 < 14 ? 0 : n % 10;
  return `${n}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}
