import { formatSize } from "#model/quantities.ts";
import type { Shortage, Size } from "./shortage.ts";

/* What rules of pools say to people. */

/** Such as `7 instances of shop.web have waited 3 min`. */
export function describe(shortages: readonly Shortage[], nowMs: number): string {
  return shortages
    .map(({ name, instances, sinceMs }) => {
      const whose = `${instances === 1 ? "1 instance" : `${instances} instances`} of ${name}`;
      return `${whose} ${instances === 1 ? "has" : "have"} waited ${minutes(nowMs - sinceMs)}`;
    })
    .join(", ");
}

/** Such as `3 min`, or `59 s`: whole ones that have passed. */
export function minutes(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1_000)} s` : `${Math.floor(ms / 60_000)} min`;
}

/** A time that is still to come: never less than it is. */
export function within(ms: number): string {
  return ms <= 60_000 ? `${Math.ceil(ms / 1_000)} s` : `${Math.ceil(ms / 60_000)} min`;
}

export function sizeOf({ cores, memoryBytes }: Size): string {
  return `${cores} CPU and ${formatSize(memoryBytes)}`;
}

/** Of a size what is asked for: CPU alone where nobody waits for memory. @param waited nothing: all of it */
export function sizeFor(size: Size, waited: readonly Shortage[]): string {
  return waited.length > 0 && waited.every(({ memoryBytes }) => memoryBytes === 0) ? `${size.cores} CPU` : sizeOf(size);
}

/** What one instance needs. */
export function needsOf({ cores, memoryBytes }: Size): string {
  const parts = [...(cores === 0 ? [] : [`${cores} CPU`]), ...(memoryBytes === 0 ? [] : [`${formatSize(memoryBytes)} of memory`])];
  return parts.length === 0 ? "a machine" : parts.join(" and ");
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
