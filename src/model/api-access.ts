import { z } from "zod";
import { roles, tokenLifeMs } from "./access.ts";
import { spaceName, tokenName } from "./name-schemas.ts";

/** Tokens, and the sessions of the web UI that are opened with them. */
export const newToken = z.strictObject({
  name: tokenName,
  role: z.enum(roles),
  spaces: z.array(spaceName).min(1).max(100).optional().meta({ description: "Left out: all, and what is of no space." }),
  expiresInMs: z.int().min(tokenLifeMs.least).max(tokenLifeMs.most).optional().meta({ description: "At most a year. Default 90 days." }),
});
const holder = {
  name: z.string(),
  role: z.enum(roles),
  spaces: z.array(z.string()).nullable().meta({ description: "null: all, and what is of no space." }),
};
export const createdToken = z.object({ ...holder, expiresAtMs: z.number(), token: z.string() }).meta({ id: "CreatedToken" });
export const tokenView = z
  .object({
    ...holder,
    createdAtMs: z.number(),
    createdBy: z.string(),
    expiresAtMs: z.number(),
    usedAtMs: z.number().nullable().meta({ description: "Up to an hour behind; null: never." }),
  })
  .meta({ id: "Token" });
export const tokenHolder = z
  .object({ ...holder, expiresAtMs: z.number().nullable().meta({ description: "null: never." }) })
  .meta({ id: "Holder" });
/** A ticket for the web UI; the link with it opens one session. */
export const uiTicket = z.object({ ticket: z.string(), path: z.string(), url: z.string(), untilMs: z.number() }).meta({ id: "UiTicket" });
export const openSessionRequest = z.strictObject({ ticket: z.string().max(200) });
export const openedSession = z
  .object({
    id: z.string(),
    pageKey: z.string().meta({ description: "To be sent as `x-drover-page` with every request, beside the cookie." }),
    untilMs: z.number(),
  })
  .meta({ id: "OpenedSession" });
export const session = z
  .object({
    id: z.string(),
    token: z.string().meta({ description: "The name of the token that it was opened with, and ends with." }),
    role: z.enum(roles),
    agent: z.string().meta({ description: "What the browser calls itself." }),
    openedAtMs: z.number(),
    usedAtMs: z.number().meta({ description: "Up to ten minutes behind." }),
    untilMs: z.number().meta({ description: "When it ends unless it is used." }),
    isCurrent: z.boolean(),
  })
  .meta({ id: "Session" });

export type CreatedToken = z.output<typeof createdToken>;
export type TokenView = z.output<typeof tokenView>;
export type TokenHolder = z.output<typeof tokenHolder>;
export type UiTicket = z.output<typeof uiTicket>;
export type OpenedSession = z.output<typeof openedSession>;
export type SessionView = z.output<typeof session>;
