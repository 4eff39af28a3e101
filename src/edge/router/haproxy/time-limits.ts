import { defaultLimits } from "../embedded/limits.ts";

/** How long HAProxy waits, in milliseconds: as the embedded router where it can. Tests pass shorter ones. */
export interface TimeLimits {
  /** For a head, however it drips. */
  readonly headMs: number;
  /** For the next request of a connection. */
  readonly clientIdleMs: number;
  /** For a client that stops anywhere else: in a handshake, a body, or reading its answer. HAProxy has one limit for all of these. */
  readonly clientSilenceMs: number;
  /** For an instance that stops, before its answer or in it. */
  readonly answerMs: number;
  /** For either side of what is no HTTP any more. */
  readonly tunnelIdleMs: number;
}

const { headMs, clientIdleMs, answerMs, tunnelIdleMs } = defaultLimits;

export const timeLimits: TimeLimits = { headMs, clientIdleMs, clientSilenceMs: 75_000, answerMs, tunnelIdleMs };
