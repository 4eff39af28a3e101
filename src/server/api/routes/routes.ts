import { z } from "zod";
import { routeView } from "#model/api-routes.ts";
import { DroverError } from "#model/errors.ts";
import { appName, spaceName } from "#model/name-schemas.ts";
import { requireApp } from "../../operations/app-operations.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import { meantRoutes } from "../../view/route-view.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** What leads where, and how much takes that way. */
export function routeRoutes(services: Services): readonly Route[] {
  const { controlPlane } = services;
  return [
    route({
      method: "GET",
      path: "/v1/routes",
      id: "listRoutes",
      summary: "Routes of one app, of a space or of all, by app and place, with what the edges counted for each.",
      access: { right: "read", of: "each" },
      query: z.strictObject({ space: spaceName.optional(), app: appName.optional() }),
      answer: { kind: "json", schema: z.object({ routes: z.array(routeView) }) },
      handle: async ({ signal, sees }, { space, app }) => {
        if (app !== undefined && space === undefined)
          throw new DroverError("REQUEST_INVALID", `the app "${app}" was named without its space`, { hint: "Name both." });
        if (space !== undefined) requireSpace(services, space);
        if (space !== undefined && app !== undefined) requireApp(services, space, app);
        return { json: { routes: (await controlPlane.routes({ space, app }, signal)).filter((one) => sees(one.space)) } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/routes/:route",
      id: "getRoute",
      summary: "One route, by its id or its place, such as `shop.example.com/api` or `tcp 5432`.",
      access: { right: "read", of: "each" },
      answer: { kind: "json", schema: routeView },
      handle: async ({ params, signal, sees }) => {
        const name = params["route"] ?? "";
        const seen = (await controlPlane.routes({}, signal)).filter((one) => sees(one.space));
        const [found, ...others] = meantRoutes(seen, name);
        if (found === undefined)
          throw new DroverError("ROUTE_NOT_FOUND", `there is no route "${name}"`, {
            hint: '"drover route ls" lists those that there are.',
          });
        if (others.length > 0)
          throw new DroverError("ROUTE_NOT_FOUND", `"${name}" could be any of ${others.length + 1} routes`, {
            hint: `Name one in full: ${[found, ...others].map(({ place, app, space }) => `"${place}" (${space}/${app})`).join(", ")}.`,
          });
        return { json: found };
      },
    }),
  ];
}
