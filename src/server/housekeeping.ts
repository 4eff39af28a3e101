import { join } from "node:path";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { ownTls, renewalInMs } from "./access/own-tls.ts";
import type { Api } from "./api/http-server.ts";
import type { IdempotencyKeys } from "./api/idempotency.ts";
import type { Authority } from "./certificates/authority.ts";
import { sweepArtifacts } from "./operations/artifacts.ts";
import { sweepTokens } from "./operations/token-operations.ts";
import type { Store } from "./store/store.ts";

/** How often what is kept only for a while is looked through, and the first time after the start, when nothing else is going on. */
const sweepEveryMs = 3_600_000;
const firstSweepMs = 30_000;
/** Timers of Node hold at most 2^31 ms. */
const longestTimerMs = 24 * 3_600_000;

export interface HouseOptions {
  readonly store: Store;
  readonly idempotency: IdempotencyKeys;
  /** The server's: backups lie in `backups` below it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Backs up, and forgets what is kept only for a while, until the signal aborts. */
export async function keepHouse({ store, idempotency, folder, clock, log }: HouseOptions, signal: AbortSignal): Promise<void> {
  for (let waitMs = firstSweepMs; !signal.aborted; waitMs = sweepEveryMs) {
    try {
      await clock.sleep(waitMs, signal);
      const { backUp } = await import("./store/backups.ts");
      const backup = await backUp(store, join(folder, "backups"));
      if (backup !== null) log.info("store backed up", { file: backup.file, revision: backup.revision });
      await idempotency.sweep();
      await sweepArtifacts(store, clock.nowMs());
      await sweepTokens(store, clock.nowMs());
    } catch (error) {
      if (signal.aborted) return;
      log.error("housekeeping failed; it is tried again in an hour", errorFields(error));
    }
  }
}

export interface RenewalOptions {
  readonly folder: string;
  readonly authority: () => Promise<Authority>;
  readonly hosts: readonly string[];
  /** What the API has now. */
  readonly first: { readonly key: string; readonly cert: string };
  readonly api: Pick<Api, "renewTls">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps the API's certificate young until the signal aborts. */
export async function renewTls(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { folder, authority, hosts, first, api, clock, log } = options;
  for (let tls = first; !signal.aborted; ) {
    try {
      await clock.sleep(Math.min(renewalInMs(tls, clock), longestTimerMs), signal);
      tls = await ownTls(folder, await authority(), hosts, clock);
      api.renewTls(tls);
    } catch (error) {
      if (signal.aborted) return;
      log.error("the API's certificate could not be renewed; it is tried again in a minute", errorFields(error));
      await pause(clock, 60_000, signal);
    }
  }
}
