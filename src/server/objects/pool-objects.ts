import type { PoolName, SpaceName } from "#model/names.ts";
import type { Store } from "../store/store.ts";
import { parse, read } from "./objects.ts";

/**
 * Where pools live in the store.
 *
 *   /pools/<space>/<pool>   StoredPool
 */
export const poolKeys = {
  pool: (space: SpaceName, pool: PoolName) => `/pools/${space}/${pool}`,
  pools: (space: SpaceName) => `/pools/${space}/`,
  all: "/pools/",
} as const;

/** A pool as it was applied. */
export interface StoredPool {
  readonly space: SpaceName;
  readonly name: PoolName;
  /** As written, variables filled in. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

export const poolObjects = {
  pool: (store: Store, space: SpaceName, pool: PoolName) => read<StoredPool>(store, poolKeys.pool(space, pool)),
  pools: (store: Store, space?: SpaceName) =>
    store.list(space === undefined ? poolKeys.all : poolKeys.pools(space)).map((entry) => parse<StoredPool>(entry)),
} as const;
