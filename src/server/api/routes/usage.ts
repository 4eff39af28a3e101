import { usageView } from "#model/api-usage.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** What everything uses. */
export function usageRoutes({ controlPlane }: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/usage",
      id: "getUsage",
      summary: "What machines and instances use, measured when it is asked for.",
      access: { right: "read", of: "each" },
      answer: { kind: "json", schema: usageView },
      handle: async ({ signal, sees }) => {
        const usage = await controlPlane.usage(signal);
        return { json: { ...usage, instances: usage.instances.filter(({ space }) => sees(space)) } };
      },
    }),
  ];
}
