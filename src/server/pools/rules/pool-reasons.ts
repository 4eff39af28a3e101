import type { AppName, SpaceName } from "#model/names.ts";
import { machinesOf, type Pool } from "#model/pool.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import type { Reason } from "#model/workload.ts";
import { wordsOf } from "../end-of-call.ts";
import type { PoolWatch } from "../pool-watch.ts";
import type { PoolKeeper } from "./pool-keeper.ts";

/** Machines of one pool that a reason names one by one. */
const mostNamed = 3;

/** What is wrong with pools, so that a person has to do something. @param target null: of the whole space */
export function poolReasons(
  pools: Pick<PoolWatch, "pools" | "view">,
  keeper: Pick<PoolKeeper, "standingOf">,
  space: SpaceName,
  target: Target | null,
): readonly Reason[] {
  return pools.pools(space).flatMap((pool): readonly Reason[] => {
    const standing = keeper.standingOf(space, pool.name);
    const isPool = target === null || target === `pool/${pool.name}`;
    const isShort = isPool || (target !== null && scopeOf(target) === "app" && standing?.short.has(nameOf(target) as AppName) === true);
    const stuck = isPool ? (standing?.stuck ?? []) : [];
    return [
      ...(isShort && standing !== null && standing.need !== null ? [{ code: "POOL_SHORT", message: standing.need.words } as const] : []),
      ...(stuck.length === 0 ? [] : [{ code: "POOL_STUCK", message: `pool ${pool.name}: ${named(stuck)}` } as const]),
      ...silence(pools, pool, target).map((message) => ({ code: "PROVIDER_SILENT", message }) as const),
    ];
  });
}

/** Who does not say how its machines are: the provider, or what it asks about single ones. */
function silence(pools: Pick<PoolWatch, "view">, pool: Pool, target: Target | null): readonly string[] {
  const view = pools.view(pool.space, pool.name);
  const isPool = target === null || target === `pool/${pool.name}`;
  // Without an agent nobody could ask, which is said of the agent.
  if (view?.problem != null) return isPool && view.problem.code !== "CLUSTER_UNREACHABLE" ? [wordsOf(view.problem)] : [];
  const silent = machinesOf(pool).flatMap((name) => {
    const problem = view?.machines.get(name)?.problem;
    return problem !== undefined && (isPool || target === `machine/${name}`) ? [`${name}: ${wordsOf(problem)}`] : [];
  });
  return silent.length === 0 ? [] : [`pool ${pool.name} does not know how all of its machines are: ${named(silent)}`];
}

function named(words: readonly string[]): string {
  const more = words.length - mostNamed;
  return `${words.slice(0, mostNamed).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}
