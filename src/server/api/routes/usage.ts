import { usageView } from "#model/api-usage.ts";
import { collectMetrics } from "../../metrics/collect.ts";
import { expositionType } from "../../metrics/exposition.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** What everything uses and does, in figures. */
export function usageRoutes({ controlPlane, store, version, startedAtMs }: Services): readonly Route[] {
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
    route({
      method: "GET",
      path: "/metrics",
      id: "getMetrics",
      summary: "All figures in the text format of Prometheus.",
      access: { right: "read", of: "each" },
      answer: { kind: "text", type: expositionType },
      handle: async ({ signal, sees }) => {
        const told = await collectMetrics({ controlPlane, store, version: version().version, startedAtMs, sees }, signal);
        return { pieces: told.pieces(), type: expositionType };
      },
    }),
  ];
}
