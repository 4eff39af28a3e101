import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { Fleet } from "./fleet.ts";
import type { AgentPeer } from "./peers.ts";

/** Wait before a watch that broke on a living link is opened again. */
const rewatchMs = 500;

export interface AgentLinkOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
}

/** Folds everything that an agent reports into the fleet, until its link is gone or the signal aborts. */
export async function followAgent(peer: AgentPeer, { fleet, clock, log }: AgentLinkOptions, parent: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([parent, peer.gone]);
  try {
    while (!signal.aborted) {
      try {
        fleet.linked(peer, await peer.describe(signal));
        for await (const change of peer.watch(signal)) fleet.fold(peer, change);
      } catch (error) {
        if (signal.aborted) break;
        log.warn("watch of agent failed", { machine: peer.machine, ...errorFields(error) });
      }
      await pause(clock, rewatchMs, signal); // Only an abort rejects it, and the loop asks for that itself.
    }
  } finally {
    fleet.unlinked(peer);
    log.warn("agent unlinked", { machine: peer.machine });
  }
}
