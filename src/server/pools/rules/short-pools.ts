import type { AppName, SpaceName } from "#model/names.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import type { Reason } from "#model/workload.ts";
import type { PoolWatch } from "../pool-watch.ts";
import type { PoolKeeper } from "./pool-keeper.ts";

/** Pools that need more machines than their rules may or can add: a person has to. @param target null: of the whole space */
export function shortPools(
  pools: Pick<PoolWatch, "pools">,
  keeper: Pick<PoolKeeper, "standingOf">,
  space: SpaceName,
  target: Target | null,
): readonly Reason[] {
  return pools.pools(space).flatMap(({ name }): readonly Reason[] => {
    const standing = keeper.standingOf(space, name);
    if (standing === null || standing.need === null) return [];
    const isMeant =
      target === null || target === `pool/${name}` || (scopeOf(target) === "app" && standing.short.has(nameOf(target) as AppName));
    return isMeant ? [{ code: "POOL_SHORT", message: standing.need.words }] : [];
  });
}
