import type { ProcessName } from "#model/names.ts";
import type { ObservedInstance, ObservedWorkload } from "./input.ts";

/** One release's share of a process. */
export interface ReleaseCount {
  readonly release: number;
  /** One for each machine that has or had something of it. */
  readonly parts: readonly ObservedWorkload[];
  /** What the agents were told. */
  readonly count: number;
  /** All that exist: what was told but is not there yet, and what is on its way out, count as well. */
  readonly existing: number;
  /** Those that will still be ready when each agent has done what it was told, given that it stops unready ones first. */
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
  const parts = new Map<number, ObservedWorkload[]>([[release, []]]);
  for (const workload of observed) {
    if (workload.kind !== "service" || workload.process !== process) continue;
    const known = parts.get(workload.release);
    if (known === undefined) parts.set(workload.release, [workload]);
    else known.push(workload);
  }
  return [...parts].map(([number, of]) => countOf(number, of)).sort((a, b) => a.release - b.release);
}

function countOf(release: number, parts: readonly ObservedWorkload[]): ReleaseCount {
  const total = { count: 0, existing: 0, ready: 0 };
  for (const part of parts) {
    total.count += part.count;
    total.existing += existingOf(part);
    total.ready += readyOf(part);
  }
  return { release, parts, ...total };
}

/** Of one machine. */
export function existingOf({ instances, count, mayHave }: ObservedWorkload): number {
  let staying = 0;
  let leaving = 0;
  for (const instance of instances) {
    if (isLeaving(instance)) leaving++;
    else if (instance.state !== "exited") staying++;
  }
  return Math.max(mayHave, Math.max(count, staying) + leaving);
}

/** What cannot be asked may be ready or not; nothing that is ready may go because of it. */
export function readyOf({ instances, count, isReachable }: ObservedWorkload): number {
  if (!isReachable) return 0;
  let ready = 0;
  for (const instance of instances) if (isReady(instance)) ready++;
  return Math.min(ready, count);
}

export function sum(counts: readonly ReleaseCount[], field: "count" | "existing" | "ready"): number {
  return counts.reduce((total, count) => total + count[field], 0);
}
