import { createHash } from "node:crypto";
import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";
import { keys, parse, put, remove } from "../objects/objects.ts";
import type { Change, Store } from "../store/store.ts";
import type { AcmeSettings } from "./acme-settings.ts";

/** An authority may say a lot; people read the beginning. */
const longestMessage = 1_000;

export interface FailedOrder {
  /** In a row. */
  readonly count: number;
  readonly message: string;
  /** Earliest time of the next attempt, in epoch milliseconds. */
  readonly nextAtMs: number;
}

interface StoredFailure extends FailedOrder {
  readonly host: string;
  /** What was ordered with: a failure says nothing of other settings. */
  readonly settings: string;
}

/**
 * Hosts whose last order failed. Kept in the store as well, so that a server that starts anew asks an authority no sooner than the one before would
 * have, and still knows what it said. What cannot be written holds for as long as this server runs.
 */
export class FailedOrders {
  readonly #store: Store;
  readonly #log: Log;
  readonly #byHost: Map<string, StoredFailure>;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#byHost = new Map(
      store.list(keys.failedOrders).map((entry) => [parse<StoredFailure>(entry).value.host, parse<StoredFailure>(entry).value]),
    );
  }

  get(host: string, settings: AcmeSettings | null): FailedOrder | null {
    const failure = this.#byHost.get(host);
    return failure === undefined || settings === null || failure.settings !== printOf(settings) ? null : failure;
  }

  /** By host, those with these settings. */
  all(settings: AcmeSettings | null): readonly (FailedOrder & { readonly host: string })[] {
    const print = settings === null ? null : printOf(settings);
    return [...this.#byHost.values()].filter((failure) => failure.settings === print);
  }

  async set(host: string, settings: AcmeSettings, { count, message, nextAtMs }: FailedOrder): Promise<void> {
    const failure = { host, settings: printOf(settings), count, message: message.slice(0, longestMessage), nextAtMs };
    this.#byHost.set(host, failure);
    await this.#write([put(keys.failedOrder(host), failure)]);
  }

  /** It may be ordered at once. */
  async forget(host: string): Promise<void> {
    const changes = this.succeeded(host);
    if (changes.length > 0) await this.#write(changes);
  }

  /** What to write together with what was ordered. */
  succeeded(host: string): readonly Change[] {
    return this.#byHost.delete(host) ? [remove(keys.failedOrder(host))] : [];
  }

  /** Forgets hosts that are routed no more, once they could be ordered again: a route that goes and comes is not a way past the wait. */
  async keepOnly(hosts: ReadonlySet<string>, nowMs: number): Promise<void> {
    const gone = [...this.#byHost.values()].filter(({ host, nextAtMs }) => !hosts.has(host) && nextAtMs <= nowMs);
    if (gone.length > 0) await this.#write(gone.flatMap(({ host }) => this.succeeded(host)));
  }

  async #write(changes: readonly Change[]): Promise<void> {
    try {
      await this.#store.commit({ changes, leadsToDeletions: true });
    } catch (error) {
      this.#log.warn("what became of an order could not be kept", errorFields(error));
    }
  }
}

function printOf({ directory, email, challenge, caPem }: AcmeSettings): string {
  return createHash("sha256")
    .update(JSON.stringify([directory, email, challenge, caPem]))
    .digest("base64url");
}
