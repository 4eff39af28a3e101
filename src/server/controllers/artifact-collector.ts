import { errorFields } from "#host/log.ts";
import type { Release } from "#model/app.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Digest } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import type { Store } from "../store/store.ts";

/** First look after the start, and the time between looks: disk fills slowly, and a start has better things to do. */
const firstMs = 60_000;
const everyMs = 10 * 60_000;
/** What was built or used within this time stays, because the release that needs it may be about to be written. */
const keepUsedMs = 60 * 60_000;

export interface ArtifactCollectorOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
  readonly collectSources: (beforeMs: number, signal: AbortSignal) => Promise<number>;
}

/** Now and then deletes artifacts that no kept release needs, and sources that nobody asked for in a while. Until the signal aborts. */
export async function collectArtifacts(options: ArtifactCollectorOptions, signal: AbortSignal): Promise<void> {
  const { clock } = options;
  for (let waitMs = firstMs; !signal.aborted; waitMs = everyMs) {
    await pause(clock, waitMs, signal);
    if (!signal.aborted) await collectOnce(options, signal);
  }
}

export async function collectOnce(options: ArtifactCollectorOptions, signal: AbortSignal): Promise<void> {
  const { fleet, clock, log, collectSources } = options;
  const beforeMs = clock.nowMs() - keepUsedMs;
  try {
    for (const { peer } of fleet.machines()) if (peer !== null) await collectAt(peer, beforeMs, options, signal);
    const sources = await collectSources(beforeMs, signal);
    if (sources > 0) log.info("sources collected", { count: sources });
  } catch (error) {
    if (!signal.aborted) log.warn("collection of artifacts failed", errorFields(error));
  }
}

async function collectAt(peer: AgentPeer, beforeMs: number, { store, log }: ArtifactCollectorOptions, signal: AbortSignal): Promise<void> {
  for (const { digest, sizeBytes, usedAtMs } of await peer.artifacts(signal)) {
    // Asked for each one anew: a release may have been written while the ones before were deleted.
    if (usedAtMs >= beforeMs || neededArtifacts(store).has(digest)) continue;
    try {
      await peer.removeArtifact(digest, signal);
      log.info("artifact collected", { machine: peer.machine, artifact: digest, size_bytes: sizeBytes });
    } catch (error) {
      // Something that still runs uses it; the next look finds it again.
      if (!(error instanceof DroverError && error.code === "CONFLICT")) throw error;
    }
  }
}

function neededArtifacts(store: Store): ReadonlySet<Digest> {
  const needed = new Set<Digest>();
  for (const entry of store.list("/releases/")) {
    const { artifact } = (JSON.parse(Buffer.from(entry.value).toString("utf8")) as Release).spec;
    if (artifact !== null) needed.add(artifact);
  }
  return needed;
}
