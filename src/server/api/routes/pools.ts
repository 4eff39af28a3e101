import { z } from "zod";
import { poolView } from "#model/api-pools.ts";
import type { MachineId, SpaceName } from "#model/names.ts";
import { failingChecksAt } from "../../escalator/ready-machines.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import { viewPool } from "../../pools/view-pool.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** Pools of machines of a space. */
export function poolRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/spaces/:space/pools",
      id: "listPools",
      summary: "The pools of a space, with their machines as their providers tell of them.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ pools: z.array(poolView) }) },
      handle: async ({ params, signal }) => {
        const space = params["space"] as SpaceName;
        requireSpace(services, space);
        const escalator = await services.controlPlane.escalator();
        const scene = escalator.sceneOf(space);
        const failingAt = (machine: MachineId) => (scene === null ? [] : failingChecksAt(scene, machine));
        const pools = escalator.pools.pools(space).map(async (pool) => {
          const { provider } = escalator.pools.provider(space, pool.name);
          const standing = escalator.poolStanding(space, pool.name);
          return viewPool(escalator.pools, pool, failingAt, { about: (await provider.about?.(signal)) ?? null, standing });
        });
        return { json: { pools: await Promise.all(pools) } };
      },
    }),
  ];
}
