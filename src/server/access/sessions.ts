import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { SessionView } from "#model/api-access.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { allow, type Principal } from "./access-rule.ts";
import type { Tokens } from "./tokens.ts";

/** How long a link of `drover ui` may lie before it is opened: the time to change from a terminal to a browser. */
export const uiTicketMs = 60_000;
/** Links that are open at once: nobody opens that many browsers in a minute. */
const maxTickets = 20;
/** A session that nobody uses ends after a night, and every session after a week. */
const idleMs = 12 * 3_600_000;
const lifeMs = 7 * 24 * 3_600_000;
/** Sessions at once; the one that was used longest ago makes way. */
const maxSessions = 100;
/** How old "last used" may be on the disk: a restart forgets no more than this of it. */
const saveUseAfterMs = 10 * 60_000;
/** Longest header that is looked at for a cookie, and longest secret. */
const longestCookies = 8_192;
const secretPattern = /^[0-9a-f]{64}$/;

/** What the page sends beside the cookie: see `Sessions.authenticate`. */
export const pageKeyHeader = "x-drover-page";

const storedSession = z.strictObject({
  id: z.string(),
  cookieSha256: z.string(),
  pageSha256: z.string(),
  /** Left out by versions that knew the owner's alone. */
  token: z.string().optional(),
  agent: z.string(),
  openedAtMs: z.number(),
  usedAtMs: z.number(),
});
const storedSessions = z.strictObject({ sessions: z.array(storedSession).max(maxSessions) });
type StoredSession = z.infer<typeof storedSession>;

export interface OpenedSession {
  readonly id: string;
  /** The name of the token that asked for the ticket. */
  readonly token: string;
  /** Kept by the page and sent in `x-drover-page`. */
  readonly pageKey: string;
  readonly setCookie: string;
  readonly untilMs: number;
}

/**
 * Sessions of browsers. One begins with a ticket that somebody with a token asked for, and may what that token may. It ends when it is not used for
 * 12 hours, after seven days, when it is ended, or with the token. What is kept of its secrets are hashes, in a file beside that of the owner's
 * token, so a restart logs nobody out.
 */
export interface Sessions {
  /** A ticket that opens one session for `holder`, once, within a minute. @throws {DroverError} OVERLOADED */
  issueTicket(holder: Principal): { readonly ticket: string; readonly untilMs: number };
  /** @param agent what the browser calls itself. @throws {DroverError} UNAUTHENTICATED for a ticket that is unknown, used or too old */
  open(ticket: string, agent: string): Promise<OpenedSession>;
  /**
   * Whom a request comes from, or null. It takes both halves of a session: the cookie, which no script can read, and the page's key, which a
   * browser never sends by itself. A cookie alone would not do: browsers send those of 127.0.0.1 to every port of it, the apps' ones too.
   */
  authenticate(headers: IncomingHttpHeaders): Principal | null;
  /** Whom the session of this id is of; null when there is none, or it has ended. */
  holder(id: string): Principal | null;
  /** Those that have not ended, the one that was used last first. @param asker whose request asks */
  list(asker: Principal): readonly SessionView[];
  /** Whether there was such a session. */
  end(id: string): Promise<boolean>;
  /** Makes the browser forget its cookie. */
  readonly clearCookie: string;
}

export interface SessionOptions {
  readonly file: string;
  /** Names the cookie: several Drovers of one machine share the host name, and so its cookies. */
  readonly installation: string;
  /** Whether browsers reach the API over TLS. */
  readonly isSecure: boolean;
  readonly tokens: Pick<Tokens, "holder" | "owner">;
  readonly clock: Clock;
  readonly log: Log;
  /** 64 unguessable hex digits. */
  readonly newSecret: () => string;
}

export async function openSessions({ file, installation, isSecure, tokens, clock, log, newSecret }: SessionOptions): Promise<Sessions> {
  const kept = await readTextIfThere(file);
  const sessions = new Map<string, StoredSession>();
  if (kept !== null) for (const one of storedSessions.parse(JSON.parse(kept)).sessions) sessions.set(one.id, one);
  const tickets = new Map<string, { readonly untilMs: number; readonly token: string }>();
  // The prefix has browsers refuse the cookie from anything but this very host over TLS. Plain HTTP, on loopback, cannot have it.
  const cookieName = `${isSecure ? "__Host-" : ""}drover-${installation.slice(0, 8)}`;
  const attributes = `Path=/; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
  let saving: Promise<void> = Promise.resolve();

  const save = () => {
    const write = () => writeFileAtomic(file, JSON.stringify({ sessions: [...sessions.values()] }), { mode: 0o600 });
    saving = saving.then(write, write);
    return saving;
  };
  const tokenOf = (session: StoredSession) => tokens.holder(session.token ?? tokens.owner.token);
  const untilMs = ({ openedAtMs, usedAtMs }: StoredSession, token: Principal | null) =>
    Math.min(openedAtMs + lifeMs, usedAtMs + idleMs, token?.expiresAtMs ?? Number.POSITIVE_INFINITY);
  const holderOf = (session: StoredSession): Principal | null => {
    const token = tokenOf(session);
    if (token === null || clock.nowMs() > untilMs(session, token)) return null;
    const { id } = session;
    return { ...token, id: `session ${id}`, name: `${token.name} in session ${id}`, session: id };
  };
  const forgetOld = () => {
    for (const [id, session] of sessions) if (holderOf(session) === null) sessions.delete(id);
    for (const [ticket, { untilMs }] of tickets) if (untilMs <= clock.monotonicMs()) tickets.delete(ticket);
  };

  return {
    clearCookie: `${cookieName}=; Max-Age=0; ${attributes}`,
    issueTicket: ({ token }) => {
      forgetOld();
      if (tickets.size >= maxTickets)
        throw new DroverError("OVERLOADED", `${maxTickets} links to the web UI wait to be opened`, { hint: "Try again in a minute." });
      const ticket = newSecret();
      tickets.set(sha256(ticket).toString("hex"), { token, untilMs: clock.monotonicMs() + uiTicketMs });
      return { ticket, untilMs: clock.nowMs() + uiTicketMs };
    },
    open: async (ticket, agent) => {
      const nowMs = clock.nowMs();
      forgetOld();
      const key = sha256(ticket).toString("hex");
      const issued = tickets.get(key);
      tickets.delete(key);
      const holder = issued === undefined ? null : tokens.holder(issued.token);
      if (holder === null) {
        throw new DroverError("UNAUTHENTICATED", "the link is unknown, was used before, is older than a minute, or its token has ended", {
          hint: "Ask for a new one with `drover ui`.",
        });
      }
      const [cookie, pageKey] = [newSecret(), newSecret()];
      const session: StoredSession = {
        id: newSecret().slice(0, 8),
        cookieSha256: sha256(cookie).toString("hex"),
        pageSha256: sha256(pageKey).toString("hex"),
        token: holder.token,
        agent: agent.slice(0, 200),
        openedAtMs: nowMs,
        usedAtMs: nowMs,
      };
      const oldest = [...sessions.values()].toSorted((a, b) => a.usedAtMs - b.usedAtMs)[0];
      if (sessions.size >= maxSessions && oldest !== undefined) sessions.delete(oldest.id);
      sessions.set(session.id, session);
      await save();
      return {
        id: session.id,
        pageKey,
        setCookie: `${cookieName}=${session.id}.${cookie}; Max-Age=${lifeMs / 1_000}; ${attributes}`,
        untilMs: untilMs(session, holder),
        token: holder.name,
      };
    },
    authenticate: (headers) => {
      const [id = "", cookie = ""] = readCookie(headers.cookie, cookieName)?.split(".") ?? [];
      const session = sessions.get(id);
      const pageKey = headers[pageKeyHeader];
      if (session === undefined || typeof pageKey !== "string" || !secretPattern.test(cookie) || !secretPattern.test(pageKey)) return null;
      const isRight = equals(cookie, session.cookieSha256) && equals(pageKey, session.pageSha256);
      const holder = isRight ? holderOf(session) : null;
      if (holder === null) return null;
      const nowMs = clock.nowMs();
      if (nowMs - session.usedAtMs > saveUseAfterMs) {
        sessions.set(id, { ...session, usedAtMs: nowMs });
        save().catch((error: unknown) => log.warn("the use of a session could not be saved", errorFields(error)));
      }
      return holder;
    },
    holder: (id) => {
      const session = sessions.get(id);
      return session === undefined ? null : holderOf(session);
    },
    list: (asker) => {
      forgetOld();
      return [...sessions.values()]
        .toSorted((a, b) => b.usedAtMs - a.usedAtMs)
        .flatMap((session) => {
          const token = tokenOf(session);
          const isShown = token !== null && (token.token === asker.token || allow(asker, "tokens", "installation"));
          if (!isShown) return [];
          return {
            id: session.id,
            token: token.name,
            role: token.role,
            agent: session.agent,
            openedAtMs: session.openedAtMs,
            usedAtMs: session.usedAtMs,
            untilMs: untilMs(session, token),
            isCurrent: asker.session === session.id,
          };
        });
    },
    end: async (id) => {
      if (!sessions.delete(id)) return false;
      await save();
      return true;
    },
  };
}

function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined || header.length > longestCookies) return null;
  for (const part of header.split(";")) {
    const text = part.trim();
    if (text.startsWith(`${name}=`)) return text.slice(name.length + 1);
  }
  return null;
}

function equals(secret: string, wantedSha256: string): boolean {
  return timingSafeEqual(sha256(secret), Buffer.from(wantedSha256, "hex"));
}

function sha256(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
