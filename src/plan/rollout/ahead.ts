import type { App } from "#model/app.ts";
import { beforeProcess, type ProcessName } from "#model/names.ts";
import type { ObservedWorkload } from "./input.ts";

/** What agents were told by a server whose store is lost, and which a restored one would undo. */
export interface Ahead {
  /** By release, in order: instances that run or are to run. */
  readonly runs: readonly { readonly release: number; readonly instances: number }[];
  /** The newest release that the restored state has; null if it does not have the app. */
  readonly knows: number | null;
}

/**
 * Whether carrying on would end what agents were told to run by orders that the store has lost: an app that it does not have, a release that is not
 * the wanted one, or more instances than it wants. What people have changed since the restore is decided, and so not asked for here.
 * @param isLost whether an order of this revision is lost to the store
 */
export function findAhead(
  app: App | null,
  workloads: readonly Pick<ObservedWorkload, "process" | "release" | "kind" | "count" | "revision" | "instances">[],
  isLost: (revision: number) => boolean,
): Ahead | null {
  const services = workloads.filter(({ kind, process }) => kind === "service" && process !== beforeProcess);
  const counts = new Map<ProcessName, number>();
  const runs = new Map<number, number>();
  let isUndone = false;
  for (const { process, release, count, revision, instances } of services) {
    const there = Math.max(count, instances.length);
    if (there === 0 || !isLost(revision)) continue;
    runs.set(release, (runs.get(release) ?? 0) + there);
    counts.set(process, (counts.get(process) ?? 0) + there);
    isUndone ||= app === null || app.stopped || app.destroying || release !== app.target;
  }
  isUndone ||= [...counts].some(([process, there]) => there > (app?.instances[process] ?? 1));
  if (!isUndone) return null;
  return {
    runs: [...runs].sort(([a], [b]) => a - b).map(([release, instances]) => ({ release, instances })),
    knows: app === null ? null : app.lastRelease,
  };
}

/** In words, after the app's name. */
export function describeAhead({ runs, knows }: Ahead): string {
  const running = runs
    .map(({ release, instances }) => `release ${release} with ${instances} ${instances === 1 ? "instance" : "instances"}`)
    .join(" and ");
  const known =
    knows === null
      ? "the restored state does not have it"
      : runs.some(({ release }) => release > knows)
        ? `the restored state knows up to ${knows}`
        : "the restored state wants something else";
  return `runs ${running}, and ${known}`;
}
