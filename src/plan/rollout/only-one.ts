import type { Release } from "#model/app.ts";
import type { MachineId, ProcessName } from "#model/names.ts";
import { existingOf, type ReleaseCount, readyOf } from "./counts.ts";
import type { ObservedWorkload } from "./input.ts";

/** A machine that cannot be asked, and may run a process for a while yet. */
export interface Held {
  readonly machine: MachineId;
  /** When the lease by which it may is over for sure, in epoch milliseconds; infinite where its agent is too old to know of leases. */
  readonly untilMs: number;
}

/** Whether the process must not run twice: the release that is to run says so, or one of which something may be there. */
export function isOnlyOne(releases: ReadonlyMap<number, Release>, process: ProcessName, counts: readonly ReleaseCount[]): boolean {
  return counts.some(({ release }) => releases.get(release)?.spec.processes[process]?.onlyOne === true);
}

export interface OnlyOneInput {
  /** Of all releases, on all machines. */
  readonly counts: readonly ReleaseCount[];
  /** The release that is to run; null: what is ready stays. */
  readonly release: number | null;
  readonly isWanted: boolean;
  /** Machines that it is to leave. */
  readonly leaving: ReadonlySet<MachineId>;
  /** Whether a machine that cannot be asked may run it. */
  readonly isHeld: boolean;
}

export interface OnlyOnePlan {
  /** The one that stays; everything else goes. Null: none. */
  readonly kept: { readonly release: number; readonly machine: MachineId } | null;
  /** Whether a place is to be found for it: nothing of it is anywhere. */
  readonly isFree: boolean;
}

/**
 * Which one of a process that must not run twice stays. It is stopped before another is started, on whichever machine: another one is ordered only once
 * nothing exists any more, and nothing can exist where nobody can look.
 */
export function planOnlyOne({ counts, release, isWanted, leaving, isHeld }: OnlyOneInput): OnlyOnePlan {
  const parts = counts.flatMap((count) => count.parts.map((part) => ({ release: count.release, part, isLive: isLive(part) })));
  let kept: (typeof parts)[number] | null = null;
  for (const one of parts) {
    const mayStay = isWanted && one.part.count > 0 && !leaving.has(one.part.machine) && (release === null || one.release === release);
    if (!mayStay || (release === null && readyOf(one.part) === 0)) continue;
    // What was only ordered may be an order of before, which another machine has taken over since.
    if (isHeld && !one.isLive) continue;
    if (kept === null || isBetter(one, kept)) kept = one;
  }
  const isElsewhere = parts.some((one) => one !== kept && one.isLive);
  if (kept !== null && !kept.isLive && isElsewhere) kept = null;
  const isFree =
    kept === null &&
    isWanted &&
    release !== null &&
    !isHeld &&
    counts.every(({ parts: own }) => own.every((part) => existingOf(part) === 0));
  return { kept: kept === null ? null : { release: kept.release, machine: kept.part.machine }, isFree };
}

function isBetter(one: { part: ObservedWorkload; isLive: boolean }, other: { part: ObservedWorkload; isLive: boolean }): boolean {
  return one.isLive === other.isLive ? one.part.revision > other.part.revision : one.isLive;
}

/** Whether a process of it may be there at this moment. */
function isLive(part: ObservedWorkload): boolean {
  return part.instances.some(({ state }) => state !== "exited") || (!part.isReachable && existingOf(part) > 0);
}
