import type { WeeklyHours } from "./check.ts";
import type { Measurement } from "./measurement.ts";

/** How many instances a process is to have, by what they have to do. */
export interface ScaleRule {
  readonly min: number;
  readonly max: number;
  /** What one instance is to bear of each. Every one asks for a number of instances, and the largest counts. */
  readonly each: ScaleTargets;
  /** The figure of `each.metric`. */
  readonly metric?: Measurement;
  /** What prints the number of `each.command`. */
  readonly command?: ScaleCommand;
  /** Hours in which it is to have more than `min` at least. */
  readonly schedule: readonly { readonly hours: WeeklyHours; readonly min: number }[];
  /** Not fewer than were needed at any moment of this time. */
  readonly downAfterMs: number;
  /** With a `min` of 0: none is left once there was no request for so long. Left out: one stays. */
  readonly idleAfterMs?: number;
}

/** A user's command line that looks and prints one whole number. */
export interface ScaleCommand {
  readonly run: string;
  readonly env: Readonly<Record<string, string>>;
  readonly everyMs: number;
  readonly timeoutMs: number;
}

export interface ScaleTargets {
  readonly cores?: number;
  readonly memoryBytes?: number;
  /** Requests per second. */
  readonly rps?: number;
  /** Not what one bears but what all are to keep: how long 95 of 100 requests may take. */
  readonly latencyMs?: number;
  /** Of the figure that `ScaleRule.metric` names, such as the length of a queue. */
  readonly metric?: number;
  /** Of the number that `ScaleRule.command` prints. 1: it is a number of instances. */
  readonly command?: number;
}

export type ScaleQuantity = keyof ScaleTargets;

/** What all instances of a process did, on average since the last look. */
export type ScaleLoad = Readonly<Record<ScaleQuantity, ScaleMeasure>>;

/** Whether anybody asks for the process: requests since the last look, and what is open or waits now. */
export interface ScaleActivity {
  readonly isBusy: boolean;
  /** Who did not say, in words. Null if all did. */
  readonly missing: string | null;
}

export interface ScaleMeasure {
  readonly amount: number;
  /** Who did not say, in words: what there is may be more. Null if all did. */
  readonly missing: string | null;
}
