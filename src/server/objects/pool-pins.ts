import type { PoolName, SpaceName } from "#model/names.ts";

/** Certificates that management controllers of a pool showed first, by `HOST:PORT`; below `/pool-pins/<space>/<pool>`. They go with the pool. */
export type PoolPins = Readonly<Record<string, string>>;

export const poolPinsKeys = {
  pool: (space: SpaceName, pool: PoolName) => `/pool-pins/${space}/${pool}`,
  pools: (space: SpaceName) => `/pool-pins/${space}/`,
} as const;
