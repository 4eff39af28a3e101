import { type App, isBeingDestroyed } from "#model/app.ts";
import { webhookSecret } from "#model/ladder.ts";
import { ladderManifest } from "#model/ladder-schemas.ts";
import type { SpaceName } from "#model/names.ts";
import { secretsOf } from "#model/pool.ts";
import { ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { objects, type Stored, unchanged } from "../objects/objects.ts";
import { poolKeys, poolObjects } from "../objects/pool-objects.ts";
import { compilePool } from "../pools/compile-pool.ts";
import type { Condition, Store } from "../store/store.ts";
import { targetSpec } from "./releases.ts";

/** Who of a space has to do with one of its secrets. */
export interface SecretUsers {
  readonly apps: readonly Stored<App>[];
  /** Who fails without it, as people write them: `shop`, `pool/web`, `ladder/production`. */
  readonly usedBy: readonly string[];
  /** Ladders whose webhooks it signs: without it they go on, and are not signed any more. */
  readonly signs: readonly string[];
  /** That the ladder and the pools that were looked at are still the same. */
  readonly conditions: readonly Condition[];
}

/** Reads the space once, for as many of its secrets as are asked about. */
export function secretUsers(store: Store, space: SpaceName): (name: string) => SecretUsers {
  const storedApps = objects.apps(store, space).filter(({ value }) => !isBeingDestroyed(value));
  const named = storedApps.map((stored) => ({ stored, secrets: targetSpec(store, stored.value)?.secrets ?? {} }));
  const storedPools = poolObjects.pools(store, space);
  const pools = storedPools.map(({ value }) => compilePool(value, null));
  const storedLadder = ladderObjects.ladder(store, space);
  const ladder = storedLadder === null ? null : ladderManifest.parse(storedLadder.value.manifest);
  const path = `ladder/${ladder?.ladder}`;
  const hasWebhooks = ladder?.tell.some((one) => "webhook" in one) === true;
  const conditions = [
    unchanged(ladderKeys.ladder(space), storedLadder),
    ...storedPools.map((stored) => unchanged(poolKeys.pool(space, stored.value.name), stored)),
  ];
  return (name) => {
    const apps = named.flatMap(({ stored, secrets }) => (Object.hasOwn(secrets, name) ? [stored] : []));
    return {
      apps,
      usedBy: [
        ...apps.map(({ value }) => value.name),
        ...pools.flatMap((pool) => (secretsOf(pool.provider).includes(name) ? [`pool/${pool.name}`] : [])),
        ...(ladder?.mail?.password === name ? [path] : []),
      ],
      signs: name === webhookSecret && hasWebhooks ? [path] : [],
      conditions,
    };
  };
}
