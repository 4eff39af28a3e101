import { z } from "zod";
import { rebalanceView, rebalanceWhich, rebalancing } from "#model/api-rebalance.ts";
import { DroverError } from "#model/errors.ts";
import { type AppId, type AppName, appId, type SpaceName } from "#model/names.ts";
import { objects } from "../../objects/objects.ts";
import { json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

/** Instances that are made more even over the machines. */
export function rebalanceRoutes(services: Services): readonly Route[] {
  const { controlPlane, store } = services;
  const which = (name: string | null): AppId | null => {
    if (name === null) return null;
    const [space = "", app = ""] = name.split("/") as [SpaceName, AppName];
    if (objects.app(store, space as SpaceName, app as AppName) !== null) return appId(space as SpaceName, app as AppName);
    throw new DroverError("APP_NOT_FOUND", `there is no app "${name}"`, { hint: '"drover apps" lists those that there are.' });
  };
  return [
    route({
      method: "GET",
      path: "/v1/rebalance",
      id: "planRebalance",
      summary: "Which instances would go to other machines so that all have alike, which apps stay and why, and how the last one went.",
      access: { right: "read", of: "installation" },
      query: z.strictObject({ app: z.string().optional() }),
      answer: { kind: "json", schema: rebalanceView },
      handle: async (_call, { app }) => {
        const { rebalancer } = controlPlane;
        return { json: { plan: rebalancer.plan(which(app ?? null)), last: rebalancer.progress } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/rebalance",
      id: "rebalance",
      summary: "Moves instances so that machines have alike, one step of a rollout at a time; answers with what it has begun.",
      access: { right: "operate", of: "installation" },
      body: json(rebalanceWhich),
      answer: { kind: "json", schema: rebalancing },
      handle: async (call, _query, { app }) => ({
        json: await controlPlane.rebalancer.start(which(app), signed(services, call).events, call.receipt),
      }),
    }),
    route({
      method: "DELETE",
      path: "/v1/rebalance",
      id: "stopRebalance",
      summary: "Moves no more; what has moved stays.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "json", schema: rebalanceView },
      handle: async () => {
        const { rebalancer } = controlPlane;
        await rebalancer.stop();
        return { json: { plan: rebalancer.plan(null), last: rebalancer.progress } };
      },
    }),
  ];
}
