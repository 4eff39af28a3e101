import { z } from "zod";
import { space as spaceView } from "#model/api.ts";
import type { SpaceName } from "#model/names.ts";
import { objects } from "../../objects/objects.ts";
import { deleteSpace, putSpace, requireSpace, spaceSettings, viewSpace } from "../../operations/space-operations.ts";
import { requireBeyondApps } from "../beyond-apps.ts";
import { requireRevision } from "../etag.ts";
import { json, type Precondition, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

export function spaceRoutes(services: Services): readonly Route[] {
  const nameOf = (params: Readonly<Record<string, string>>) => params["space"] as SpaceName;
  const requiring = (space: string, precondition: Precondition) => (current: number) =>
    requireRevision(`space "${space}"`, precondition, current);
  return [
    route({
      method: "GET",
      path: "/v1/spaces",
      id: "listSpaces",
      summary: "All spaces, by name.",
      access: { right: "read", of: "each" },
      answer: { kind: "json", schema: z.object({ spaces: z.array(spaceView) }) },
      handle: async ({ sees }) => {
        const seen = objects.spaces(services.store).filter(({ value }) => sees(value.name));
        return { json: { spaces: seen.map((stored) => viewSpace(services, stored)) } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space",
      id: "getSpace",
      summary: "One space.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: spaceView, hasEtag: true },
      handle: async ({ params }) => {
        const stored = requireSpace(services, nameOf(params));
        return { json: viewSpace(services, stored), etag: stored.modRevision };
      },
    }),
    route({
      method: "PUT",
      path: "/v1/spaces/:space",
      id: "putSpace",
      summary: "Makes a space, or sets its domain, its environment and what becomes of its logs.",
      access: { right: "deploy", of: "space" },
      body: json(spaceSettings),
      answer: { kind: "json", schema: z.object({ space: z.string(), revision: z.int() }) },
      handle: async ({ params, receipt, precondition, caller, requireRight }, _query, settings) => {
        const space = nameOf(params);
        const { revision } = await putSpace(signed(services, { caller }), space, settings, {
          receipt,
          require: requiring(space, precondition),
          beyondApps: requireBeyondApps(requireRight),
        });
        return { json: { space, revision }, etag: revision };
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/spaces/:space",
      id: "deleteSpace",
      summary: "Deletes a space that has no apps, with its secrets and its key-value pairs.",
      access: { right: "operate", of: "space" },
      answer: { kind: "json", schema: z.object({ space: z.string(), revision: z.int() }) },
      handle: async ({ params, receipt, precondition, caller }) => {
        const space = nameOf(params);
        return { json: await deleteSpace(signed(services, { caller }), space, { receipt, require: requiring(space, precondition) }) };
      },
    }),
  ];
}
