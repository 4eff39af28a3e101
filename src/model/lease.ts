import type { WorkloadId } from "./names.ts";

/**
 * Leases: a workload that must never run twice (`only_one`) runs on a machine that has joined only as long as the server says so again and again. What is
 * cut off from the server stops it by itself when its lease is over, so that the server, which waits for that, can have it started elsewhere.
 *
 * A lease counts from a moment that the agent knows to be earlier than the server's word: it gives a token with each answer, and a renewal names the
 * token of an answer before. So it does not matter how long a word was under way, and no two clocks are compared: each side counts on its own.
 */
export interface LeaseRenewal {
  /** The token that the lease counts from; null: none is had yet, so this renews nothing and asks for one. */
  readonly of: string | null;
  /** How long the lease lasts from when that token was given, in milliseconds. */
  readonly ms: number;
  /** What may run. What is not named keeps the lease that it has. */
  readonly workloads: readonly WorkloadId[];
}

export interface LeaseAnswer {
  readonly token: string;
}

/** From the end of a lease to SIGKILL: what runs gets its signal when the lease is over, whatever its own stop rules say. Both sides count with it. */
export const leaseStopMs = 2_000;
