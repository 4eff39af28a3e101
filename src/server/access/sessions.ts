import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { SessionView } from "#model/api.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Principal } from "./token.ts";

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

/** Before a session's id in the id of whom its requests come from. */
const sessionPrefix = "session ";
/** What the page sends beside the cookie: see `Sessions.authenticate`. */
export const pageKeyHeader = "x-drover-page";

const storedSession = z.strictObject({
  id: z.string(),
  cookieSha256: z.string(),
  pageSha256: z.string(),
  agent: z.string(),
  openedAtMs: z.number(),
  usedAtMs: z.number(),
});
const storedSessions = z.strictObject({ sessions: z.array(storedSession).max(maxSessions) });
type StoredSession = z.infer<typeof storedSession>;

export interface OpenedSession {
  readonly id: string;
  /** Kept by the page and sent in `x-drover-page`. */
  readonly pageKey: string;
  readonly setCookie: string;
  readonly untilMs: number;
}

/**
 * Sessions of browsers. One begins with a ticket that somebody with the token asked for, and ends when it is not used for 12 hours, after seven
 * days, or when it is ended. What is kept of its secrets are hashes, in a file beside the token's, so a restart logs nobody out.
 */
export interface Sessions {
  /** A ticket that opens one session, once, within a minute. @throws {DroverError} OVERLOADED */
  issueTicket(): { readonly ticket: string; readonly untilMs: number };
  /** @param agent what the browser calls itself. @throws {DroverError} UNAUTHENTICATED for a ticket that is unknown, used or too old */
  open(ticket: string, agent: string): Promise<OpenedSession>;
  /**
   * Whom a request comes from, or null. It takes both halves of a session: the cookie, which no script can read, and the page's key, which a
   * browser never sends by itself. A cookie alone would not do: browsers send those of 127.0.0.1 to every port of it, the apps' ones too.
   */
  authenticate(headers: IncomingHttpHeaders): Principal | null;
  /** Those that have not ended, the one that was used last first. @param current whose request asks */
  list(current: string | null): readonly SessionView[];
  /** Whether there was such a session. */
  end(id: string): Promise<boolean>;
  /** Aborts when the session that a request came with is ended, so that what it opened ends with it; null for a request with a token. */
  lifeOf(principal: Principal | null): AbortSignal | null;
  /** Makes the browser forget its cookie. */
  readonly clearCookie: string;
}

export interface SessionOptions {
  readonly file: string;
  /** Names the cookie: several Drovers of one machine share the host name, and so its cookies. */
  readonly installation: string;
  /** Whether browsers reach the API over TLS. */
  readonly isSecure: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** 64 unguessable hex digits. */
  readonly newSecret: () => string;
}

export async function openSessions({ file, installation, isSecure, clock, log, newSecret }: SessionOptions): Promise<Sessions> {
  const kept = await readTextIfThere(file);
  const sessions = new Map<string, StoredSession>();
  if (kept !== null) for (const one of storedSessions.parse(JSON.parse(kept)).sessions) sessions.set(one.id, one);
  const lives = new Map<string, AbortController>();
  const forget = (id: string) => {
    lives.get(id)?.abort(new Error("the session was ended"));
    lives.delete(id);
    return sessions.delete(id);
  };
  const tickets = new Map<string, number>();
  // The prefix has browsers refuse the cookie from anything but this very host over TLS. Plain HTTP, on loopback, cannot have it.
  const cookieName = `${isSecure ? "__Host-" : ""}drover-${installation.slice(0, 8)}`;
  const attributes = `Path=/; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
  let saving: Promise<void> = Promise.resolve();

  const save = () => {
    const write = () => writeFileAtomic(file, JSON.stringify({ sessions: [...sessions.values()] }), { mode: 0o600 });
    saving = saving.then(write, write);
    return saving;
  };
  const isOver = ({ openedAtMs, usedAtMs }: StoredSession, nowMs: number) => nowMs > openedAtMs + lifeMs || nowMs > usedAtMs + idleMs;
  const forgetOld = (nowMs: number) => {
    for (const [id, session] of sessions) if (isOver(session, nowMs)) forget(id);
    for (const [ticket, untilMs] of tickets) if (untilMs <= clock.monotonicMs()) tickets.delete(ticket);
  };
  const untilMs = ({ openedAtMs, usedAtMs }: StoredSession) => Math.min(openedAtMs + lifeMs, usedAtMs + idleMs);

  return {
    clearCookie: `${cookieName}=; Max-Age=0; ${attributes}`,
    issueTicket: () => {
      forgetOld(clock.nowMs());
      if (tickets.size >= maxTickets)
        throw new DroverError("OVERLOADED", `${maxTickets} links to the web UI wait to be opened`, { hint: "Try again in a minute." });
      const ticket = newSecret();
      tickets.set(sha256(ticket).toString("hex"), clock.monotonicMs() + uiTicketMs);
      return { ticket, untilMs: clock.nowMs() + uiTicketMs };
    },
    open: async (ticket, agent) => {
      const nowMs = clock.nowMs();
      forgetOld(nowMs);
      if (!tickets.delete(sha256(ticket).toString("hex"))) {
        throw new DroverError("UNAUTHENTICATED", "the link is unknown, was used before, or is older than a minute", {
          hint: "Ask for a new one with `drover ui`.",
        });
      }
      const [cookie, pageKey] = [newSecret(), newSecret()];
      const session: StoredSession = {
        id: newSecret().slice(0, 8),
        cookieSha256: sha256(cookie).toString("hex"),
        pageSha256: sha256(pageKey).toString("hex"),
        agent: agent.slice(0, 200),
        openedAtMs: nowMs,
        usedAtMs: nowMs,
      };
      const oldest = [...sessions.values()].toSorted((a, b) => a.usedAtMs - b.usedAtMs)[0];
      if (sessions.size >= maxSessions && oldest !== undefined) forget(oldest.id);
      sessions.set(session.id, session);
      await save();
      return {
        id: session.id,
        pageKey,
        setCookie: `${cookieName}=${session.id}.${cookie}; Max-Age=${lifeMs / 1_000}; ${attributes}`,
        untilMs: untilMs(session),
      };
    },
    authenticate: (headers) => {
      const [id = "", cookie = ""] = readCookie(headers.cookie, cookieName)?.split(".") ?? [];
      const session = sessions.get(id);
      const pageKey = headers[pageKeyHeader];
      if (session === undefined || typeof pageKey !== "string" || !secretPattern.test(cookie) || !secretPattern.test(pageKey)) return null;
      const isRight = equals(cookie, session.cookieSha256) && equals(pageKey, session.pageSha256);
      const nowMs = clock.nowMs();
      if (!isRight || isOver(session, nowMs)) return null;
      if (nowMs - session.usedAtMs > saveUseAfterMs) {
        sessions.set(id, { ...session, usedAtMs: nowMs });
        save().catch((error: unknown) => log.warn("the use of a session could not be saved", errorFields(error)));
      }
      return { kind: "administrator", id: sessionPrefix + id };
    },
    lifeOf: (principal) => {
      const id = principal?.id.startsWith(sessionPrefix) === true ? principal.id.slice(sessionPrefix.length) : null;
      if (id === null) return null;
      const life = lives.get(id) ?? new AbortController();
      if (sessions.has(id)) lives.set(id, life);
      else life.abort(new Error("the session was ended"));
      return life.signal;
    },
    list: (current) => {
      forgetOld(clock.nowMs());
      return [...sessions.values()]
        .toSorted((a, b) => b.usedAtMs - a.usedAtMs)
        .map((session) => ({
          id: session.id,
          agent: session.agent,
          openedAtMs: session.openedAtMs,
          usedAtMs: session.usedAtMs,
          untilMs: untilMs(session),
          isCurrent: current === sessionPrefix + session.id,
        }));
    },
    end: async (id) => {
      if (!forget(id)) return false;
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
