import type { Pool, PoolProvider } from "#model/pool.ts";
import type { PoolProviderManifest } from "#model/pool-provider-schemas.ts";
import { poolManifest } from "#model/pool-schemas.ts";
import type { StoredPool } from "../objects/pool-objects.ts";
import { keptNames, type PoolSize } from "../objects/pool-size.ts";

/** By objects of the store, which never change: what was read of one once stands. */
const compiled = new WeakMap<StoredPool, Pool>();
const sized = new WeakMap<PoolSize, Pool>();

/** A pool as it was written and found valid, with everything that it leaves out. @param size that rules gave it; null: none did */
export function compilePool(stored: StoredPool, size: PoolSize | null): Pool {
  let pool = compiled.get(stored);
  if (pool === undefined) compiled.set(stored, (pool = poolOf(stored)));
  if (size === null || pool.rules === null) return pool;
  const known = sized.get(size);
  if (known !== undefined && known.provider === pool.provider) return known;
  const names = keptNames(size, pool.name, pool.rules);
  const grown = { ...pool, machines: names.length, names };
  sized.set(size, grown);
  return grown;
}

const usualWaitMs = 60_000;
const usualBusy = { above: 0.9, for: 300_000 };

function poolOf({ space, manifest }: StoredPool): Pool {
  const { pool, machines, provider } = poolManifest.parse(manifest);
  const { min, max, healthy, idle, wait, busy = usualBusy, grow } = machines;
  return {
    space,
    name: pool,
    machines: min,
    healthy: healthy ?? min - 1,
    rules:
      max === undefined
        ? null
        : { min, max, waitMs: wait ?? usualWaitMs, busyShare: busy.above, busyMs: busy.for, idleMs: idle ?? null, grow: grow ?? "auto" },
    provider: compileProvider(provider),
  };
}

export function compileProvider({ command, ssh, redfish, env, secrets, every, timeout }: PoolProviderManifest): PoolProvider {
  const commons = { env, secrets, everyMs: every, timeoutMs: timeout };
  if (command !== undefined) {
    const { list, create, destroy, converge, power } = command;
    return { kind: "command", commands: { list, create, destroy, converge: converge ?? null, power: power ?? null }, ...commons };
  }
  if (ssh !== undefined) {
    const { hosts, key, sudo, converge, power, http, https } = ssh;
    const agentOptions = Object.entries({ http, https }).flatMap(([name, port]) =>
      port === undefined ? [] : [`--${name}`, `0.0.0.0:${port}`],
    );
    const given = { key: key ?? null, sudo: sudo ?? null, converge: converge ?? null, power: power ?? null };
    return { kind: "ssh", hosts, ...given, agentOptions, ...commons };
  }
  if (redfish !== undefined) return { kind: "redfish", ...redfish, ca: redfish.ca ?? null, ...commons };
  throw new Error("a provider of no kind is no valid manifest");
}
