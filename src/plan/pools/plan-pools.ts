import type { MachineId, PoolName } from "#model/names.ts";
import { type PoolAction, type PoolDemand, type PoolPlan, planPool } from "./plan-pool.ts";
import { isOnItsWay, largestOf, type PoolInput } from "./pool.ts";
import { leftBeside, type PoolRoom, type Shortage } from "./shortage.ts";

/** A machine of which nothing is known until it is there: until then it may have room for all. */
const unknownSize = { cores: Number.POSITIVE_INFINITY, memoryBytes: Number.POSITIVE_INFINITY };

/**
 * What all pools do, each by its rules and all beside each other: what one pool's machines have room for, or those that it gets, no other pool grows for, and
 * nobody is asked for. Of several pools that could grow for the same instances the first that may does, in the order given.
 */
export function planPools(pools: readonly PoolInput[], shortages: readonly Shortage[]): ReadonlyMap<PoolName, PoolPlan> {
  let left = leftBeside(shortages, pools.flatMap(roomsOf));
  const plans = new Map<PoolName, PoolPlan>();
  const waitingOf = ({ name }: PoolInput) => shortages.filter((one) => one.pools.has(name));
  const coming = () =>
    pools.flatMap((pool) => [
      ...pool.machines.filter((one) => isOnItsWay(one, pool.nowMs)).map((one) => ({ pool: pool.name, name: one.name })),
      ...(plans.get(pool.name)?.actions ?? []).flatMap((action) => machinesOfAction(action).map((name) => ({ pool: pool.name, name }))),
    ]);
  const plan = (pool: PoolInput) => {
    const waiting = waitingOf(pool);
    const isHelp = ({ pool: of }: { readonly pool: PoolName }) => waiting.some((one) => one.pools.has(of));
    const demand: PoolDemand = {
      waiting,
      left: left.filter((one) => one.pools.has(pool.name)),
      onTheWay: coming().flatMap((one) => (isHelp(one) ? one.name : [])),
    };
    const found = planPool(pool, demand);
    plans.set(pool.name, found);
    return found;
  };
  const count = (pool: PoolInput, machines: number) => {
    const size = largestOf(pool.machines) ?? unknownSize;
    left = leftBeside(
      left,
      Array.from({ length: machines }, () => ({ pool: pool.name, ...size })),
    );
  };
  // Who can act comes before who can only ask.
  for (const pool of pools)
    count(
      pool,
      plan(pool).actions.reduce((sum, action) => sum + machinesOfAction(action).length, 0),
    );
  for (const pool of pools) if (plans.get(pool.name)?.need != null) count(pool, plan(pool).need?.machines ?? 0);
  return plans;
}

function machinesOfAction(action: PoolAction): readonly MachineId[] {
  switch (action.kind) {
    case "add":
      return action.machines;
    case "stay":
      return [action.machine];
    case "leave":
      return [];
    default:
      return action satisfies never;
  }
}

/** What is free on the pool's machines, and on those that are on their way. */
function roomsOf({ name, machines, nowMs }: PoolInput): readonly PoolRoom[] {
  const size = largestOf(machines) ?? unknownSize;
  return machines.flatMap((machine): readonly PoolRoom[] => {
    const { state, room } = machine;
    // What has come and was not noted yet may run something already.
    if ((state === "kept" || state === "coming") && room?.isOpen === true)
      return [{ pool: name, cores: room.freeCores, memoryBytes: room.freeMemoryBytes }];
    return isOnItsWay(machine, nowMs) ? [{ pool: name, ...size }] : [];
  });
}
