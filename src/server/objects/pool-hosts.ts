import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Store } from "../store/store.ts";
import { read } from "./objects.ts";

/** Which hosts of a list the machines of a pool are; below `/pool-hosts/<space>/<pool>`. */
export interface PoolHosts {
  readonly machines: Readonly<Record<MachineId, PoolHost>>;
  /** Hosts that were machines, the one longest ago first: others are taken before them. */
  readonly freed: readonly FreedHost[];
}

export interface PoolHost {
  readonly host: string;
  /** False from before it is begun until all went well: a server that is killed meanwhile leaves it so. */
  readonly isMade: boolean;
}

export interface FreedHost {
  readonly host: string;
  /** The machine that it was and of which Drover may still be there; null: nothing is. */
  readonly left: MachineId | null;
}

export const poolHostsKeys = {
  pool: (space: SpaceName, pool: PoolName) => `/pool-hosts/${space}/${pool}`,
  pools: (space: SpaceName) => `/pool-hosts/${space}/`,
} as const;

export const readPoolHosts = (store: Store, space: SpaceName, pool: PoolName) => read<PoolHosts>(store, poolHostsKeys.pool(space, pool));
