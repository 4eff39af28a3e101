import type { Pool } from "#model/pool.ts";
import { poolManifest } from "#model/pool-schemas.ts";
import type { StoredPool } from "../objects/pool-objects.ts";

/** By objects of the store, which never change: what was read of one once stands. */
const compiled = new WeakMap<StoredPool, Pool>();

/** A pool as it was written and found valid, with everything that it leaves out. */
export function compilePool(stored: StoredPool): Pool {
  let pool = compiled.get(stored);
  if (pool === undefined) compiled.set(stored, (pool = poolOf(stored)));
  return pool;
}

function poolOf({ space, manifest }: StoredPool): Pool {
  const { pool, machines, provider } = poolManifest.parse(manifest);
  const { list, create, destroy, converge, power } = provider.command;
  return {
    space,
    name: pool,
    machines: machines.min,
    healthy: machines.healthy ?? machines.min - 1,
    provider: {
      kind: "command",
      commands: { list, create, destroy, converge: converge ?? null, power: power ?? null },
      env: provider.env,
      secrets: provider.secrets,
      everyMs: provider.every,
      timeoutMs: provider.timeout,
    },
  };
}
