import { z } from "zod";
import { openedSession, openSessionRequest, session, uiTicket } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { json, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** Sessions of browsers: a ticket, then a cookie. */
export function sessionRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/ui-tickets",
      id: "createUiTicket",
      summary: "A ticket that opens one session of the web UI, once, within a minute.",
      access: "write",
      body: json(z.strictObject({})),
      answer: { kind: "json", schema: uiTicket },
      handle: async () => {
        const { ticket, untilMs } = services.sessions.issueTicket();
        services.webUi.prepare();
        // Behind the #, where no server, proxy or log gets to see it.
        const path = `/#ticket=${ticket}`;
        return { json: { ticket, path, url: services.webUi.url() + path, untilMs } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/sessions",
      id: "openSession",
      summary: "Opens a session with a ticket: answers with the page's key and sets the cookie; requests need both.",
      access: "ticket",
      body: json(openSessionRequest, 4_096),
      answer: { kind: "json", schema: openedSession },
      handle: async (call, _query, { ticket }) => {
        const { setCookie, ...opened } = await services.sessions.open(ticket, call.userAgent);
        services.events.append({ kind: "session.opened", message: `a session of the web UI was opened, "${opened.id}"` });
        return { json: opened, headers: { "set-cookie": setCookie } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/sessions",
      id: "listSessions",
      summary: "Sessions of the web UI that have not ended, the one that was used last first.",
      access: "read",
      answer: { kind: "json", schema: z.object({ sessions: z.array(session) }) },
      handle: async ({ principal }) => ({ json: { sessions: services.sessions.list(principal?.id ?? null) } }),
    }),
    route({
      method: "DELETE",
      path: "/v1/sessions/:id",
      id: "endSession",
      summary: "Ends a session: its next request is refused. `current` is the one of the request.",
      access: "write",
      answer: { kind: "json", schema: z.object({ id: z.string() }) },
      handle: async ({ params, principal }) => {
        const current = services.sessions.list(principal?.id ?? null).find(({ isCurrent }) => isCurrent)?.id;
        const id = params["id"] === "current" ? (current ?? "current") : (params["id"] ?? "");
        if (!(await services.sessions.end(id)))
          throw new DroverError("SESSION_NOT_FOUND", `there is no session "${id}"`, { hint: "List them with `drover session ls`." });
        services.events.append({ kind: "session.ended", message: `the session "${id}" of the web UI was ended` });
        return { json: { id }, ...(id === current ? { headers: { "set-cookie": services.sessions.clearCookie } } : {}) };
      },
    }),
  ];
}
