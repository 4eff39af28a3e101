import type { ScaleLoad, ScaleQuantity, ScaleRule } from "#model/scale.ts";
import { planAutoscale, type ScaleHistory } from "./plan-autoscale.ts";

/** Of a process without instances that is asked for. */
export const wokenBecause = "a request waits for it";

/** How often it is decided: seldom enough for figures that mean something, often enough for a rush. */
export const lookEveryMs = 5_000;

/** The load of all instances from one moment until the next of the trace. What is left out is nothing. */
export type TracePoint = {
  /** Epoch milliseconds; rising. */
  readonly atMs: number;
} & { readonly [Q in ScaleQuantity]?: number | undefined };

export interface ScaleTimeline {
  /** Each change of the count, and why. */
  readonly changes: readonly { readonly atMs: number; readonly from: number; readonly to: number; readonly because: string }[];
  readonly most: number;
  /** Instances times the time that there were so many. */
  readonly instanceMs: number;
  /** For how long fewer were there than were needed. */
  readonly shortMs: number;
}

/** Plays a rule on a virtual clock from the trace's first point to its last. Latency is what the trace says, whatever the count. */
export function simulateAutoscale(rule: ScaleRule, start: number, trace: readonly TracePoint[]): ScaleTimeline {
  const changes: { atMs: number; from: number; to: number; because: string }[] = [];
  const [first, last] = [trace[0], trace.at(-1)];
  let [count, most, instanceMs, shortMs, point] = [start, start, 0, 0, 0];
  let history: ScaleHistory | null = null;
  if (first === undefined || last === undefined) return { changes, most, instanceMs, shortMs };
  for (let atMs = first.atMs; atMs < last.atMs; atMs += lookEveryMs) {
    while ((trace[point + 1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) point++;
    const load = loadOf(trace[point] ?? first);
    const activity = { isBusy: load.rps.amount > 0, missing: null };
    if (count === 0 && activity.isBusy) {
      changes.push({ atMs, from: 0, to: 1, because: wokenBecause });
      count = 1;
    }
    const decision = planAutoscale({ rule, wanted: count, load, activity, isRollingOut: false, history, atMs, nowMs: atMs });
    history = decision.history;
    if (decision.count !== count) changes.push({ atMs, from: count, to: decision.count, because: decision.because });
    count = decision.count;
    most = Math.max(most, count);
    instanceMs += count * lookEveryMs;
    if (count < decision.needed) shortMs += lookEveryMs;
  }
  return { changes, most, instanceMs, shortMs };
}

function loadOf(point: TracePoint): ScaleLoad {
  const measure = (amount = 0) => ({ amount, missing: null });
  return {
    cores: measure(point.cores),
    memoryBytes: measure(point.memoryBytes),
    rps: measure(point.rps),
    latencyMs: measure(point.latencyMs),
    metric: measure(point.metric),
    command: measure(point.command),
  };
}
