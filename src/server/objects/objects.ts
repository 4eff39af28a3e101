import type { App, Release, Rollout, Space } from "#model/app.ts";
import type { AppId, AppName, MachineId, SpaceName } from "#model/names.ts";
import type { StoredToken, TokenUse } from "../access/stored-token.ts";
import type { AcmeSettings } from "../certificates/acme-settings.ts";
import type { Change, Condition, Entry, StoreReader } from "../store/store.ts";

/**
 * Where each object lives in the store, and how it is read and written.
 *
 *   /spaces/<space>                      Space
 *   /apps/<space>/<app>                  App
 *   /releases/<space>/<app>/<number>     Release, the number padded to 8 digits so that key order is number order
 *   /rollouts/<space>/<app>              Rollout, while one is under way
 *   /secrets/<space>/<name>              SealedSecret
 *   /machines/<machine>                  Member, of each machine that has joined
 *   /standings/<machine>                 Standing, of a machine that is cordoned or drained
 *   /homes/<space>/<app>                 { machine }, which has the app's volumes; while there are several machines
 *   /leftovers/<machine>/<space>/<app>   of a destroyed app, to be removed once the machine is back
 *   /ahead/<space>/<app>                 AheadNote, of an app that ran what a restored store does not know
 *   /rebalance                           StoredRebalance, of the last time that people asked for instances to be moved
 *   /join-tokens/<id>                    StoredToken, for a day after its end
 *   /tokens/<name>                       StoredToken, for a month after its end
 *   /token-uses/<name>                   TokenUse
 *   /leases/term                         LeaseTerm: how long the leases of what must not run twice are
 *   /certificates/<origin>/<host or name>  StoredCertificate
 *   /tls/tickets                         TicketKeys
 *   /tls/acme                            AcmeSettings
 *   /tls/orders/<host>                   StoredFailure: when a host whose order failed may be ordered again
 *   /tls/alerts                          certificate → how many days before its end people were told last
 *   /searches/<space>/<name>             a saved search of logs, as the API shows it
 *   /kv/<space>/<key>                    the space's key-value store: raw bytes
 *   /idempotency/<key>                   answers to repeat
 */
export const keys = {
  space: (space: SpaceName) => `/spaces/${space}`,
  app: (space: SpaceName, app: AppName) => `/apps/${space}/${app}`,
  apps: (space?: SpaceName) => (space === undefined ? "/apps/" : `/apps/${space}/`),
  release: (space: SpaceName, app: AppName, number: number) => `/releases/${space}/${app}/${String(number).padStart(8, "0")}`,
  releases: (space: SpaceName, app: AppName) => `/releases/${space}/${app}/`,
  rollout: (space: SpaceName, app: AppName) => `/rollouts/${space}/${app}`,
  secret: (space: SpaceName, name: string) => `/secrets/${space}/${name}`,
  secrets: (space: SpaceName) => `/secrets/${space}/`,
  machine: (name: string) => `/machines/${name}`,
  standing: (machine: MachineId) => `/standings/${machine}`,
  homes: "/homes/",
  home: (space: SpaceName, app: AppName) => `/homes/${space}/${app}`,
  leftover: (machine: MachineId, app: AppId) => `/leftovers/${machine}/${app}`,
  leftovers: (machine: MachineId) => `/leftovers/${machine}/`,
  rebalance: "/rebalance",
  ahead: (space: SpaceName, app: AppName) => `/ahead/${space}/${app}`,
  joinToken: (id: string) => `/join-tokens/${id}`,
  token: (name: string) => `/tokens/${name}`,
  tokenUse: (name: string) => `/token-uses/${name}`,
  leaseTerm: "/leases/term",
  certificate: (id: string) => `/certificates/${id}`,
  ticketKeys: "/tls/tickets",
  acme: "/tls/acme",
  failedOrders: "/tls/orders/",
  failedOrder: (host: string) => `/tls/orders/${host}`,
  certificateAlerts: "/tls/alerts",
  search: (space: SpaceName, name: string) => `/searches/${space}/${name}`,
  searches: (space: SpaceName) => `/searches/${space}/`,
  kv: (space: SpaceName, key: string) => `/kv/${space}/${key}`,
} as const;

/** An object and the revision at which it was last written, for compare-and-swap. */
export interface Stored<T> {
  readonly value: T;
  readonly key: string;
  readonly modRevision: number;
}

/** Parsed objects by entry: an entry never changes, so parsing it once is enough. */
const parsed = new WeakMap<Entry, Stored<unknown>>();

export function parse<T>(entry: Entry): Stored<T> {
  let stored = parsed.get(entry);
  if (stored === undefined) {
    stored = {
      value: JSON.parse(Buffer.from(entry.value.buffer, entry.value.byteOffset, entry.value.byteLength).toString("utf8")),
      key: entry.key,
      modRevision: entry.modRevision,
    };
    parsed.set(entry, stored);
  }
  return stored as Stored<T>;
}

export function read<T>(store: StoreReader, key: string): Stored<T> | null {
  const entry = store.get(key);
  return entry === null ? null : parse<T>(entry);
}

export const objects = {
  space: (store: StoreReader, space: SpaceName) => read<Space>(store, keys.space(space)),
  spaces: (store: StoreReader) => store.list("/spaces/").map((entry) => parse<Space>(entry)),
  app: (store: StoreReader, space: SpaceName, app: AppName) => read<App>(store, keys.app(space, app)),
  apps: (store: StoreReader, space?: SpaceName) => store.list(keys.apps(space)).map((entry) => parse<App>(entry)),
  release: (store: StoreReader, space: SpaceName, app: AppName, number: number) => read<Release>(store, keys.release(space, app, number)),
  /** Oldest first. */
  releases: (store: StoreReader, space: SpaceName, app: AppName) =>
    store.list(keys.releases(space, app)).map((entry) => parse<Release>(entry)),
  token: (store: StoreReader, name: string) => read<StoredToken>(store, keys.token(name)),
  /** By name. */
  tokens: (store: StoreReader) => store.list(keys.token("")).map((entry) => parse<StoredToken>(entry)),
  tokenUse: (store: StoreReader, name: string) => read<TokenUse>(store, keys.tokenUse(name)),
  acme: (store: StoreReader) => read<AcmeSettings>(store, keys.acme),
  rollout: (store: StoreReader, space: SpaceName, app: AppName) => read<Rollout>(store, keys.rollout(space, app)),
} as const;

export function put(key: string, value: unknown): Change {
  return { kind: "put", key, value: Buffer.from(JSON.stringify(value)) };
}

export function remove(key: string): Change {
  return { kind: "delete", key };
}

/** The condition that nobody wrote the object since it was read; for null, that it still does not exist. */
export function unchanged(key: string, stored: { readonly modRevision: number } | null): Condition {
  return { key, modRevision: stored?.modRevision ?? 0 };
}
