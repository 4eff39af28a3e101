import { dateTime, timeOfDay } from "./format.ts";

const steps = [
  1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000,
] as const;
const dayMs = 86_400_000;

export interface Tick {
  /** From the beginning, 0 to 1. */
  readonly at: number;
  readonly text: string;
}

/** Marks of a time axis at round times of day, so many at most. */
export function ticksOf(fromMs: number, toMs: number, most: number): readonly Tick[] {
  const long = toMs - fromMs;
  if (long <= 0) return [];
  const stepMs = steps.find((step) => long / step <= most) ?? Math.ceil(long / most / dayMs) * dayMs;
  // Local midnight is where days begin, for people.
  const offsetMs = new Date(fromMs).getTimezoneOffset() * 60_000;
  const first = Math.ceil((fromMs - offsetMs) / stepMs) * stepMs + offsetMs;
  const ticks: Tick[] = [];
  for (let atMs = first; atMs <= toMs; atMs += stepMs) ticks.push({ at: (atMs - fromMs) / long, text: textOf(atMs, stepMs) });
  return ticks;
}

function textOf(atMs: number, stepMs: number): string {
  const time = timeOfDay(atMs);
  if (stepMs >= dayMs || time === "00:00:00") return dateTime(atMs).slice(5, 10);
  return stepMs < 60_000 ? time : time.slice(0, 5);
}
