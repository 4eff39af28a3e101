import { z } from "zod";
import { keptLogs, logContext, logHistogram, logPage, logQueryText, logTailItem, savedSearch } from "#model/api-logs.ts";
import { DroverError } from "#model/errors.ts";
import { type LogScope, mostBuckets } from "#model/log-event.ts";
import { kindsOfSpaces, type LogKind, logKinds } from "#model/log-kind.ts";
import { parseLogQuery } from "#model/log-query.ts";
import { appName, processName, spaceName } from "#model/name-schemas.ts";
import { type InstanceId, namePattern, reservedSpace, type SpaceName } from "#model/names.ts";
import { listSearches, removeSearch, saveSearch } from "../../operations/saved-searches.ts";
import { readCursor } from "../../view/log-cursor.ts";
import { flag, wholeNumber } from "../query.ts";
import { type Call, json, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const moment = wholeNumber(Number.MAX_SAFE_INTEGER);
const defaultBuckets = 60;
const hourMs = 3_600_000;
/** A page; whoever wants more asks for the next one. */
const mostEvents = 1_000;
const mostAround = 200;

/** Which lines. */
const scope = {
  q: logQueryText.default("").meta({
    description: 'Such as `timeout "connection refused" status>=500 level>=warn -healthz`; see the guide on logs. Empty: everything.',
  }),
  space: spaceName.optional().meta({ description: "Only this space's; left out: those of all that the caller may see." }),
  app: appName.optional().meta({ description: "Only this app's; takes `space` too." }),
  process: processName.optional(),
  of: z.enum(logKinds).optional().meta({ description: "Only lines of this kind; Drover's own programs are asked for with `own`." }),
  own: flag.default(false).meta({ description: "Drover's own programs in place of apps; takes the right to operate." }),
};
const range = {
  sinceMs: moment.optional().meta({ description: "From this moment on, in epoch milliseconds." }),
  untilMs: moment.optional().meta({ description: "Before this moment." }),
};

export function logSearchRoutes(services: Services): readonly Route[] {
  const { controlPlane, clock } = services;
  const access = { right: "read", of: "each" } as const;
  return [
    route({
      method: "GET",
      path: "/v1/logs/events",
      id: "searchLogs",
      summary: "Events of logs that match, newest first, a page at a time.",
      access,
      query: z.strictObject({
        ...scope,
        ...range,
        limit: wholeNumber(mostEvents).default(100),
        cursor: z.string().max(1_000).optional().meta({ description: "`next` of the page before." }),
      }),
      answer: { kind: "json", schema: logPage },
      handle: async (call, { q, sinceMs = null, untilMs = null, limit, cursor, ...where }) => {
        parseLogQuery(q);
        requireStretch(sinceMs, untilMs);
        const before = cursor === undefined ? null : readCursor(cursor);
        const search = { ...scopeOf(call, where), query: q, sinceMs, untilMs, before, limit: Math.max(1, limit), by: call.caller.token };
        return { json: await controlPlane.logSearch.search(search, call.signal) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/logs/histogram",
      id: "countLogs",
      summary: "How many events match, by time and level; of the last hour unless it says.",
      access,
      query: z.strictObject({ ...scope, ...range, buckets: wholeNumber(mostBuckets).default(defaultBuckets) }),
      answer: { kind: "json", schema: logHistogram },
      handle: async (call, { q, untilMs = clock.nowMs(), sinceMs = untilMs - hourMs, buckets, ...where }) => {
        parseLogQuery(q);
        requireStretch(sinceMs, untilMs);
        const bucketMs = Math.max(1, Math.ceil((untilMs - sinceMs) / Math.max(1, buckets)));
        return {
          json: await controlPlane.logSearch.count(
            { ...scopeOf(call, where), query: q, sinceMs, untilMs, bucketMs, by: call.caller.token },
            call.signal,
          ),
        };
      },
    }),
    route({
      method: "GET",
      path: "/v1/logs/context",
      id: "readLogContext",
      summary: "What an instance said before and after one of its events.",
      access,
      query: z.strictObject({
        instance: z.string().max(200).meta({ description: "In full, as in events: shop/api/web.7.k3f9b." }),
        sequence: wholeNumber(Number.MAX_SAFE_INTEGER),
        before: wholeNumber(mostAround).default(10),
        after: wholeNumber(mostAround).default(10),
      }),
      answer: { kind: "json", schema: logContext },
      handle: async (call, { instance, ...around }) => {
        const [space = ""] = instance.split("/");
        scopeOf(call, space === reservedSpace ? { own: true } : { space: space as SpaceName, own: false });
        return {
          json: await controlPlane.logSearch.context({ instance: instance as InstanceId, ...around, by: call.caller.token }, call.signal),
        };
      },
    }),
    route({
      method: "GET",
      path: "/v1/logs/kept",
      id: "listKeptLogs",
      summary: "How much of each space's logs each machine keeps, and since when.",
      access,
      query: z.strictObject({ space: spaceName.optional() }),
      answer: { kind: "json", schema: keptLogs },
      handle: async ({ sees, signal }, { space }) => {
        // Drover's own programs are of no space.
        const seen = (name: string) => sees(name === reservedSpace ? null : name) && (space === undefined || name === space);
        const kept = await controlPlane.logSearch.kept(seen, signal);
        return { json: sees(null) ? kept : { ...kept, machines: [] } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/logs/tail",
      id: "tailLogs",
      summary: "Events that match as they come, and which machines are not heard meanwhile.",
      access,
      query: z.strictObject(scope),
      answer: { kind: "lines", schema: logTailItem },
      handle: async (call, { q, ...where }) => {
        parseLogQuery(q);
        return { lines: controlPlane.logSearch.tail({ ...scopeOf(call, where), query: q }, call.signal) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space/searches",
      id: "listSearches",
      summary: "The space's saved searches, by name.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ searches: z.array(savedSearch) }) },
      handle: async ({ params }) => ({ json: { searches: listSearches(services, params["space"] as SpaceName) } }),
    }),
    route({
      method: "PUT",
      path: "/v1/spaces/:space/searches/:search",
      id: "saveSearch",
      summary: "Saves a search under a name, in place of the one that had it.",
      access: { right: "deploy", of: "space" },
      body: json(z.strictObject({ query: logQueryText, app: appName.nullable().default(null) })),
      answer: { kind: "json", schema: savedSearch },
      handle: async ({ params, caller, receipt }, _query, { query, app }) => {
        const [space, name = ""] = [params["space"] as SpaceName, params["search"]];
        if (!namePattern.test(name))
          throw new DroverError("NAME_INVALID", `"${name}" is no name of a search`, {
            hint: 'A name is 1 to 40 of a-z, 0-9 and -, and begins and ends with a letter or digit, such as "failed-payments"; what it looks for comes after it.',
          });
        return { json: await saveSearch(services, { space, name, query, app, by: caller.name, receipt }) };
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/spaces/:space/searches/:search",
      id: "removeSearch",
      summary: "Forgets a saved search.",
      access: { right: "deploy", of: "space" },
      answer: { kind: "json", schema: z.object({ space: z.string(), name: z.string(), revision: z.int() }) },
      handle: async ({ params, caller, receipt }) => {
        const named = { space: params["space"] as SpaceName, name: params["search"] ?? "" };
        return { json: await removeSearch(services, { ...named, by: caller.name, receipt }) };
      },
    }),
  ];
}

interface Where {
  readonly space?: SpaceName | undefined;
  readonly app?: string | undefined;
  readonly process?: string | undefined;
  readonly of?: LogKind | undefined;
  readonly own: boolean;
}

/** @throws {DroverError} REQUEST_INVALID where nothing could be of that time */
function requireStretch(sinceMs: number | null, untilMs: number | null): void {
  if (sinceMs !== null && untilMs !== null && sinceMs >= untilMs)
    throw new DroverError("REQUEST_INVALID", "`sinceMs` is not before `untilMs`", { hint: "Give a stretch of time." });
}

/** What the caller asked for, as far as it may see it. @throws {DroverError} NOT_ALLOWED, REQUEST_INVALID */
function scopeOf(call: Call, where: Where): LogScope {
  return { ...placesOf(call, where), ...(where.of === undefined ? {} : { kinds: [where.of] }) };
}

function placesOf(call: Call, { space, app, process, of, own }: Where): Pick<LogScope, "of" | "except"> {
  if (own) {
    if (space !== undefined || app !== undefined)
      throw new DroverError("REQUEST_INVALID", "`own` goes without a space", { hint: "Drover's own programs are of no space." });
    if (of !== undefined && kindsOfSpaces.includes(of))
      throw new DroverError("REQUEST_INVALID", `Drover's own programs have no lines of kind "${of}"`, {
        hint: "Leave out `own`, or `of`.",
      });
    call.requireRight("operate", "installation");
    return { of: [`${reservedSpace}/`], except: [] };
  }
  if (space === undefined) {
    if (app !== undefined) throw new DroverError("REQUEST_INVALID", "an app was named without its space", { hint: "Add `space`." });
    const { spaces } = call.caller;
    return spaces === null ? { of: [""], except: [`${reservedSpace}/`] } : { of: spaces.map((name) => `${name}/`), except: [] };
  }
  call.requireRight("read", { space });
  if (app === undefined) return { of: [`${space}/`], except: [] };
  return { of: [process === undefined ? `${space}/${app}/` : `${space}/${app}/${process}/`], except: [] };
}
