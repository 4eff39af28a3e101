import { z } from "zod";
import { openedSession, openSessionRequest, session, uiTicket } from "#model/api-access.ts";
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
      access: { right: "read", of: "common" },
      body: json(z.strictObject({})),
      answer: { kind: "json", schema: uiTicket },
      handle: async ({ caller }) => {
        const { ticket, untilMs } = services.sessions.issueTicket(caller);
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
        const { setCookie, token, ...opened } = await services.sessions.open(ticket, call.userAgent);
        services.events.append({ kind: "session.opened", by: token, message: `${token} opened a session of the web UI, "${opened.id}"` });
        return { json: opened, headers: { "set-cookie": setCookie } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/sessions",
      id: "listSessions",
      summary:
        "Sessions of the web UI that have not ended, the one that was used last first: all for an owner, else those of the caller's token.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: z.object({ sessions: z.array(session) }) },
      handle: async ({ caller }) => ({ json: { sessions: services.sessions.list(caller) } }),
    }),
    route({
      method: "DELETE",
      path: "/v1/sessions/:id",
      id: "endSession",
      summary: "Ends a session: its next request is refused. `current` is the one of the request.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: z.object({ id: z.string() }) },
      handle: async ({ params, caller }) => {
        const id = params["id"] === "current" ? (caller.session ?? "current") : (params["id"] ?? "");
        // Others' are not there for whoever may not see them.
        const isShown = services.sessions.list(caller).some((session) => session.id === id);
        if (!isShown || !(await services.sessions.end(id)))
          throw new DroverError("SESSION_NOT_FOUND", `there is no session "${id}"`, { hint: "List them with `drover session ls`." });
        services.lives.look();
        services.events.append({
          kind: "session.ended",
          by: caller.name,
          message: `${caller.name} ended the session "${id}" of the web UI`,
        });
        return { json: { id }, ...(id === caller.session ? { headers: { "set-cookie": services.sessions.clearCookie } } : {}) };
      },
    }),
  ];
}
