import { z } from "zod";
import { event } from "#model/api.ts";
import type { DroverEvent } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import { appName, spaceName } from "#model/name-schemas.ts";
import { wholeNumber } from "../query.ts";
import { type Route, route, type SentEvent } from "../route.ts";
import type { Services } from "../services.ts";

const filter = { space: spaceName.optional(), app: appName.optional(), after: wholeNumber(Number.MAX_SAFE_INTEGER).optional() };

export function eventRoutes({ events }: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/events",
      id: "listEvents",
      summary: "What happened and why: the latest that match, oldest first.",
      access: { right: "read", of: "each" },
      query: z.strictObject({
        ...filter,
        sinceMs: wholeNumber(Number.MAX_SAFE_INTEGER).optional(),
        limit: wholeNumber(1_000).default(100),
      }),
      answer: { kind: "json", schema: z.object({ events: z.array(event) }) },
      handle: async ({ caller }, query) => ({ json: { events: events.query(defined({ ...query, spaces: caller.spaces ?? undefined })) } }),
    }),
    route({
      method: "GET",
      path: "/v1/events/watch",
      id: "watchEvents",
      summary: "Events as they happen, from after `after` or the `Last-Event-ID`, without gaps; without either, from now on.",
      access: { right: "read", of: "each" },
      query: z.strictObject(filter),
      answer: { kind: "events", schema: event },
      handle: async ({ signal, lastEventId, caller }, query) => {
        const after = lastEventId === null ? query.after : sequenceOf(lastEventId);
        return { events: sent(events.follow(defined({ ...query, after, spaces: caller.spaces ?? undefined }), signal)) };
      },
    }),
  ];
}

async function* sent(source: AsyncIterable<DroverEvent>): AsyncGenerator<SentEvent> {
  for await (const one of source) yield { id: one.sequence, event: "event", json: JSON.stringify(one) };
}

export function sequenceOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new DroverError("REQUEST_INVALID", "the Last-Event-ID is not a number", {
    hint: "Send back the `id` of the last event that was read.",
  });
}

/** A missing property, not `undefined`, says "not given". */
function defined<T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
