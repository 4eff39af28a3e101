import { z } from "zod";
import { secret, secretValue } from "#model/api.ts";
import type { SpaceName } from "#model/names.ts";
import { listSecrets, type SecretCall, setSecret, unsetSecret } from "../../operations/secret-operations.ts";
import { type Call, json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

const changed = z
  .object({
    space: z.string(),
    name: z.string(),
    version: z.int().nullable(),
    releases: z.array(z.object({ app: z.string(), release: z.int() })),
    revision: z.int(),
  })
  .meta({ id: "SecretChanged" });

/** Values go in and never come out. */
export function secretRoutes(services: Services): readonly Route[] {
  const answer = { kind: "json", schema: changed } as const;
  return [
    route({
      method: "GET",
      path: "/v1/spaces/:space/secrets",
      id: "listSecrets",
      summary: "Names and versions of the space's secrets; never their values.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ secrets: z.array(secret) }) },
      handle: async ({ params }) => ({ json: { secrets: listSecrets(services, params["space"] as SpaceName) } }),
    }),
    route({
      method: "PUT",
      path: "/v1/spaces/:space/secrets/:name",
      id: "setSecret",
      summary: "Gives a secret a new value; apps that use it get a new release with it.",
      access: { right: "secrets", of: "space" },
      body: json(secretValue),
      answer,
      handle: async (call, _query, { value }) => ({ json: await setSecret(signed(services, call), secretCall(call), value) }),
    }),
    route({
      method: "DELETE",
      path: "/v1/spaces/:space/secrets/:name",
      id: "unsetSecret",
      summary: "Forgets a secret that no app, pool or e-mail needs.",
      access: { right: "secrets", of: "space" },
      answer,
      handle: async (call) => ({ json: await unsetSecret(signed(services, call), secretCall(call)) }),
    }),
  ];
}

function secretCall({ params, receipt }: Call): SecretCall {
  return { space: params["space"] as SpaceName, name: params["name"] as string, receipt };
}
