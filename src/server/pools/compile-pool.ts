import type { Pool, PoolProvider } from "#model/pool.ts";
import type { PoolProviderManifest } from "#model/pool-provider-schemas.ts";
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
  return {
    space,
    name: pool,
    machines: machines.min,
    healthy: machines.healthy ?? machines.min - 1,
    provider: compileProvider(provider),
  };
}

export function compileProvider({ command, ssh, env, secrets, every, timeout }: PoolProviderManifest): PoolProvider {
  const commons = { env, secrets, everyMs: every, timeoutMs: timeout };
  if (command !== undefined) {
    const { list, create, destroy, converge, power } = command;
    return { kind: "command", commands: { list, create, destroy, converge: converge ?? null, power: power ?? null }, ...commons };
  }
  if (ssh !== undefined) {
    const { hosts, key, sudo, converge, http, https } = ssh;
    const agentOptions = Object.entries({ http, https }).flatMap(([name, port]) =>
      port === undefined ? [] : [`--${name}`, `0.0.0.0:${port}`],
    );
    return { kind: "ssh", hosts, key: key ?? null, sudo: sudo ?? null, converge: converge ?? null, agentOptions, ...commons };
  }
  throw new Error("a provider of no kind is no valid manifest");
}
