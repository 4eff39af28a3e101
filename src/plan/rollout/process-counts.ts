import { type ReleaseCount, sum } from "./counts.ts";

export interface ProcessInput {
  readonly counts: readonly ReleaseCount[];
  /** The release that is to run. */
  readonly release: number;
  /** Instances of it that are wanted. */
  readonly wanted: number;
  /** The release that traffic can rely on; null if there is none. */
  readonly active: number | null;
  /** Whether two releases cannot run at once, because both insist on one port. */
  readonly isExclusive: boolean;
}

/** What each release is to be scaled to, by release. */
export type ReleaseCounts = ReadonlyMap<number, number>;

/**
 * Replaces what runs by `release`, a few at a time:
 * - never more than `wanted + surge` in existence because of us,
 * - a ready instance of another release goes only when at least `wanted` others are ready,
 * - what is not ready of releases in between goes at once, and of the active one when its place is needed.
 */
export function countsTowards({
  counts,
  release,
  wanted,
  active,
  isExclusive,
  surge,
}: ProcessInput & { readonly surge: number }): ReleaseCounts {
  const next = new Map(counts.map((count) => [count.release, count.count]));
  const own = next.get(release) ?? 0;
  const others = counts.filter((count) => count.release !== release);
  if (isExclusive) {
    for (const other of others) next.set(other.release, 0);
    next.set(release, sum(others, "existing") === 0 ? wanted : Math.min(own, wanted));
    return next;
  }
  const room = wanted + surge - sum(counts, "existing");
  next.set(release, own > wanted ? wanted : Math.min(wanted, own + Math.max(0, room)));

  const isComplete = counts.some((count) => count.release === release && count.ready >= wanted);
  let spareReady = Math.max(0, sum(counts, "ready") - wanted);
  // Places of instances that are on their way out come free without anybody else leaving.
  const comingFree = sum(counts, "existing") - sum(counts, "count");
  let placesNeeded = Math.max(0, wanted - own - Math.max(0, room) - comingFree);
  for (const other of leastTrustedFirst(others, active)) {
    const unready = other.count - other.ready;
    const isBetween = other.release !== active;
    const unreadyGone = isComplete || isBetween ? unready : Math.min(unready, placesNeeded);
    // The agent stops what is not ready first, so ready instances can only go once no unready one is left.
    const readyGone = unreadyGone === unready ? (isComplete ? other.ready : Math.min(other.ready, spareReady)) : 0;
    spareReady -= readyGone;
    placesNeeded -= Math.min(placesNeeded, unreadyGone + readyGone);
    next.set(other.release, other.count - unreadyGone - readyGone);
  }
  return next;
}

/**
 * Runs `share` instances of `release` beside the active one, which stays whole, so that traffic can be taken back at once.
 * Never more than twice what is wanted in existence because of us.
 */
export function countsBeside(input: ProcessInput & { readonly active: number; readonly share: number }): ReleaseCounts {
  const { counts, release, wanted, active, share, isExclusive } = input;
  const base = counts.find((count) => count.release === active);
  // Where nothing of the active release runs, there is nothing beside which to run.
  if (isExclusive || base === undefined || base.count === 0) return countsTowards({ ...input, surge: wanted });
  const others = counts.filter((count) => count.release !== release && count.release !== active);
  const own = counts.find((count) => count.release === release)?.count ?? 0;
  const next = new Map<number, number>();
  // What was in between may have traffic, while the active release is not whole: it goes as that becomes ready.
  let spareReady = Math.max(0, base.ready + sum(others, "ready") - wanted);
  for (const other of leastTrustedFirst(others, active)) {
    const readyGone = Math.min(other.ready, spareReady);
    spareReady -= readyGone;
    next.set(other.release, other.ready - readyGone);
  }
  let room = Math.max(0, 2 * wanted - sum(counts, "existing"));
  const baseNext = Math.min(wanted, base.count + room);
  room -= Math.max(0, baseNext - base.count);
  next.set(active, baseNext);
  next.set(release, Math.min(share, own + room));
  return next;
}

function leastTrustedFirst(counts: readonly ReleaseCount[], active: number | null): readonly ReleaseCount[] {
  return [...counts].sort((a, b) => Number(a.release === active) - Number(b.release === active) || a.release - b.release);
}
