import { z } from "zod";
import { createdToken, newToken, tokenHolder, tokenView } from "#model/api-access.ts";
import type { StoredToken } from "../../access/stored-token.ts";
import { objects } from "../../objects/objects.ts";
import { createToken, noSuchToken, requireToken, revokeToken, viewToken } from "../../operations/token-operations.ts";
import { type Call, json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

/** Tokens with roles. An owner of some spaces gives out tokens for these alone, and sees no others. */
export function tokenRoutes(services: Services): readonly Route[] {
  const { store } = services;
  return [
    route({
      method: "GET",
      path: "/v1/holder",
      id: "getHolder",
      summary: "As whom the caller speaks: the token, its role, its spaces, its end.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: tokenHolder },
      handle: async ({ caller: { name, role, spaces, expiresAtMs } }) => ({ json: { name, role, spaces, expiresAtMs } }),
    }),
    route({
      method: "GET",
      path: "/v1/tokens",
      id: "listTokens",
      summary: "Tokens that were made, by name: those for spaces of the caller's alone; never the tokens themselves.",
      access: { right: "tokens", of: "each" },
      answer: { kind: "json", schema: z.object({ tokens: z.array(tokenView) }) },
      handle: async (call) => {
        const seen = objects.tokens(store).filter(({ value }) => isSeen(call, value));
        return { json: { tokens: seen.map((stored) => viewToken(store, stored)) } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/tokens",
      id: "createToken",
      summary: "Makes a token. It is in this answer and nowhere else.",
      access: { right: "tokens", of: "each" },
      body: json(newToken),
      answer: { kind: "json", schema: createdToken },
      handle: async (call, _query, wanted) => {
        // Nobody gives more than they have.
        if (wanted.spaces === undefined) call.requireRight("tokens", "installation");
        else for (const space of wanted.spaces) call.requireRight("tokens", { space });
        const { name, role, spaces } = wanted;
        return {
          status: 201,
          json: { name, role, spaces: spaces ?? null, ...(await createToken(signed(services, call), wanted, call.caller)) },
        };
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/tokens/:token",
      id: "revokeToken",
      summary: "Revokes a token: its next request is refused, and streams, terminals and sessions that were opened with it end within 5 s.",
      access: { right: "tokens", of: "each" },
      answer: { kind: "json", schema: z.object({ name: z.string() }) },
      handle: async (call) => {
        const name = call.params["token"] ?? "";
        if (!isSeen(call, requireToken(store, name).value)) throw noSuchToken(name);
        await revokeToken(signed(services, call), name, call.caller);
        services.lives.look();
        return { json: { name } };
      },
    }),
  ];
}

function isSeen({ sees }: Call, { spaces }: StoredToken): boolean {
  return spaces === null ? sees(null) : spaces.every(sees);
}
