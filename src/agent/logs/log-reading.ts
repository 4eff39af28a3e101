import type { Clock } from "#model/clock.ts";
import type { MachineId } from "#model/names.ts";
import type { AppLog } from "./app-log.ts";
import type { LogFollower } from "./log-follower.ts";
import type { LogSelection } from "./log-selection.ts";

/** What whoever reads the logs of several apps has of them. */
export interface LogReading {
  readonly machine: MachineId;
  readonly clock: Clock;
  /** The logs of what is selected, with all that was printed until now on the disk. */
  readonly select: (selection: LogSelection) => Promise<readonly AppLog[]>;
  /** Offers all that is printed from now on, until the signal aborts. */
  readonly follow: (follower: LogFollower, signal: AbortSignal) => void;
}
