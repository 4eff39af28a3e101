import type { ProcessName } from "#model/names.ts";
import type { ObservedInstance, ObservedWorkload } from "./input.ts";

/** One release's share of a process. */
export interface ReleaseCount {
  readonly release: number;
  readonly workload: ObservedWorkload | null;
  /** What the agent was told. */
  readonly count: number;
  /** All that exist: what was told but is not there yet, and what is on its way out, count as well. */
  readonly existing: number;
  /** Those that will still be ready when the agent has done what it was told, given that it stops unready ones first. */
  readonly ready: number;
}

export function isLeaving(instance: ObservedInstance): boolean {
  return instance.state === "draining" || instance.state === "stopping";
}

export function isReady(instance: ObservedInstance): boolean {
  return instance.ready && instance.state === "running";
}

/** Every release that has or had something of the process, oldest first; `release` is among them even if it has nothing. */
export function countReleases(observed: readonly ObservedWorkload[], process: ProcessName, release: number): readonly ReleaseCount[] {
  const counts = observed.filter((workload) => workload.kind === "service" && workload.process === process).map(countOf);
  if (!counts.some((count) => count.release === release)) counts.push({ release, workload: null, count: 0, existing: 0, ready: 0 });
  return counts.sort((a, b) => a.release - b.release);
}

function countOf(workload: ObservedWorkload): ReleaseCount {
  let staying = 0;
  let leaving = 0;
  let ready = 0;
  for (const instance of workload.instances) {
    if (isLeaving(instance)) leaving++;
    else if (instance.state !== "exited") staying++;
    if (isReady(instance)) ready++;
  }
  return {
    release: workload.release,
    workload,
    count: workload.count,
    existing: Math.max(workload.mayHave, Math.max(workload.count, staying) + leaving),
    ready: Math.min(ready, workload.count),
  };
}

export function sum(counts: readonly ReleaseCount[], field: "count" | "existing" | "ready"): number {
  return counts.reduce((total, count) => total + count[field], 0);
}
