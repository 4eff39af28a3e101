import { errorFields } from "#host/log.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import type { Neighbour, NeighbourQuestion } from "#model/programs.ts";
import { siteOf } from "#model/site.ts";
import type { AgentPeer } from "../fleet/peers.ts";

/** A machine as far as it matters for where it stands. */
export interface PlacedMachine {
  readonly id: string;
  /** Where others reach it; null: not known. */
  readonly address: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whoever has more of a site's machines than this asked for nothing gets it from elsewhere: they all are too old, or too full. */
const mostAsked = 3;

/**
 * A machine that stands where another one does and gives it parts of Drover, so that those do not all come from far away.
 * @returns null: none has any of them, or gives them
 */
export async function findNeighbour(
  machines: readonly PlacedMachine[],
  // Null, or CLUSTER_UNREACHABLE, where there is none now.
  agentOn: (machine: MachineId) => AgentPeer | null,
  { parts, except, ...asker }: NeighbourQuestion,
  log: Log,
  signal: AbortSignal,
): Promise<Neighbour | null> {
  const site = siteOf(asker.address, asker.labels);
  if (site === null || parts.length === 0) return null;
  let asked = 0;
  for (const { id, address, labels } of machines) {
    if (address === null || except.includes(id) || siteOf(address, labels) !== site) continue;
    try {
      const agent = agentOn(id as MachineId);
      if (agent === null) continue;
      if (asked++ === mostAsked) break;
      const there = new Set((await agent.programs(signal)).parts);
      const had = parts.filter((part) => there.has(part));
      if (had.length === 0) continue;
      const offer = await agent.giveParts(had, signal);
      if (offer.parts.length > 0) return { ...offer, machine: id, host: address };
    } catch (error) {
      // It is too old, or its disk is full, or it is gone: the next one may not be.
      signal.throwIfAborted();
      if (!(error instanceof DroverError)) throw error;
      log.warn("a machine gives no parts of Drover to its neighbours", { machine: id, ...errorFields(error) });
    }
  }
  return null;
}
