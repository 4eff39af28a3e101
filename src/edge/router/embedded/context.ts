import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Limits } from "./limits.ts";

/** What every connection needs from outside. */
export interface EdgeContext {
  readonly clock: Clock;
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
}
