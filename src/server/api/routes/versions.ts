import { z } from "zod";
import { versionsView } from "#model/api-versions.ts";
import { isBeingDestroyed } from "#model/app.ts";
import { appName, spaceName } from "#model/name-schemas.ts";
import { requireApp } from "../../operations/app-operations.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** Which version of what runs where. */
export function versionRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/versions",
      id: "getVersions",
      summary: "Which version of which app runs where: wanted, running, and by its own word; and Drover's own programs.",
      access: { right: "read", of: "each" },
      query: z.strictObject({
        space: spaceName.optional(),
        app: appName.optional().meta({ description: "Of this space's app; with a space." }),
        ask: z.enum(["true", "false"]).default("true").meta({ description: "Whether instances are asked what they say of themselves." }),
      }),
      answer: { kind: "json", schema: versionsView },
      handle: async ({ signal, sees }, { space, app, ask }) => {
        if (space !== undefined && app !== undefined && sees(space)) requireApp(services, space, app);
        const versions = await services.controlPlane.versions(
          {
            isShown: (one) =>
              sees(one.space) &&
              !isBeingDestroyed(one) &&
              (space === undefined || one.space === space) &&
              (app === undefined || one.name === app),
            asks: ask === "true",
            program: services.version(),
          },
          signal,
        );
        return { json: sees(null) ? versions : { ...versions, programs: [] } };
      },
    }),
  ];
}
