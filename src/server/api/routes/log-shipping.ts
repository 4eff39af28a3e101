import { z } from "zod";
import { shippingDestination } from "#model/api-shipping.ts";
import { spaceName } from "#model/name-schemas.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

export function logShippingRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/logs/shipping",
      id: "listLogShipping",
      summary: "The destinations that spaces send their logs to, how far behind each is, and what keeps it from taking them.",
      access: { right: "read", of: "each" },
      query: z.strictObject({ space: spaceName.optional() }),
      answer: { kind: "json", schema: z.object({ destinations: z.array(shippingDestination) }) },
      handle: async (call, { space }) => {
        if (space !== undefined) requireSpace(services, space);
        const destinations = await services.controlPlane.shipping(
          (one) => call.sees(one) && (space === undefined || one === space),
          call.signal,
        );
        return { json: { destinations } };
      },
    }),
  ];
}
