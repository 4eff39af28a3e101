import type { Kind } from "./series.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** How figures of an age are kept. */
export interface Level {
  /** Between two samples. */
  readonly stepMs: number;
  /** What is older goes on to the next level, or away. */
  readonly keptMs: number;
  /** What one block covers; each is a multiple of the one before, so that whole blocks become one of the next level. */
  readonly blockMs: number;
}

/** Finest first: 15 seconds for a day, a minute for three days, five minutes for fifteen. */
export const levels = [
  { stepMs: 15_000, keptMs: dayMs, blockMs: hourMs / 2 },
  { stepMs: 60_000, keptMs: 3 * dayMs, blockMs: 2 * hourMs },
  { stepMs: 300_000, keptMs: 15 * dayMs, blockMs: 12 * hourMs },
] as const satisfies readonly Level[];

export const finest: Level = levels[0];

/** The start of the block or step that holds the moment. */
export function startOf(atMs: number, ofMs: number): number {
  return Math.floor(atMs / ofMs) * ofMs;
}

/** The level at which what is so old is read: no finer one has it any more. A block goes on when all of it is too old. */
export function levelAt(ageMs: number): number {
  const at = levels.findIndex(({ keptMs }) => ageMs <= keptMs);
  return at === -1 ? levels.length - 1 : at;
}

/** The moment that stands for the step of a coarser level that `atMs` lies in: the last finest one within it, so that what it holds is inside its own block. */
export function coarseTime(atMs: number, stepMs: number): number {
  return startOf(atMs, stepMs) + stepMs - finest.stepMs;
}

/**
 * Samples at the times of a coarser level: of a counter the last one of each step, of a gauge the average.
 * @param times rising, epoch milliseconds @param coarse the `coarseTime` of all of them, rising
 */
export function coarsen(kind: Kind, times: Float64Array, values: Float64Array, coarse: Float64Array): Float64Array {
  const result = new Float64Array(coarse.length).fill(Number.NaN);
  let at = 0;
  for (const [i, time] of coarse.entries()) {
    let [sum, count, last] = [0, 0, Number.NaN];
    for (; at < times.length && (times[at] as number) <= time; at++) {
      const value = values[at] as number;
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
      last = value;
    }
    if (count > 0) result[i] = kind === "counter" ? last : sum / count;
  }
  return result;
}
