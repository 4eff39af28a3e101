import { z } from "zod";
import { feedbackView, healthHistory, lanes, timelineView } from "#model/api-history.ts";
import { DroverError } from "#model/errors.ts";
import { appName, spaceName } from "#model/name-schemas.ts";
import type { AppName, MachineId, SpaceName } from "#model/names.ts";
import { noSuchMachine } from "../../members/members.ts";
import { requireApp } from "../../operations/app-operations.ts";
import { readFeedback, readHealth, readTimeline } from "../../view/history/read-history.ts";
import { wholeNumber } from "../query.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const dayMs = 86_400_000;
/** What is looked at of a timeline unless it is said. */
const usualTimelineMs = dayMs;
const usualFeedbackMs = 30 * dayMs;

const moment = wholeNumber(Number.MAX_SAFE_INTEGER).optional();
const period = { sinceMs: moment, untilMs: moment };
const scope = { space: spaceName.optional(), app: appName.optional(), ...period };

/** What happened over time. */
export function historyRoutes(services: Services): readonly Route[] {
  const { events, clock, controlPlane } = services;
  const periodOf = (sinceMs: number | undefined, untilMs: number | undefined, usualMs: number) => {
    // One more, because the end is not part of it and what happened in this millisecond is.
    const period = { sinceMs: sinceMs ?? (untilMs ?? clock.nowMs()) - usualMs, untilMs: untilMs ?? clock.nowMs() + 1 };
    if (period.sinceMs < period.untilMs) return period;
    throw new DroverError("REQUEST_INVALID", "the time ends before it begins", { hint: "Give a `sinceMs` before `untilMs`." });
  };
  return [
    route({
      method: "GET",
      path: "/v1/timeline",
      id: "getTimeline",
      summary:
        "Deploys, health, checks, escalations, scaling, machines, edges and people's actions side by side, as spans; by default of the last day.",
      access: { right: "read", of: "each" },
      query: z.strictObject({
        ...scope,
        before: wholeNumber(Number.MAX_SAFE_INTEGER).optional().meta({ description: "The `older` of a page, for the one before it." }),
        lanes: z
          .string()
          .max(200)
          .transform((text) => text.split(","))
          .pipe(z.array(z.enum(lanes)))
          .default([...lanes])
          .meta({ description: "Some of them, with commas between; all by default." }),
        limit: wholeNumber(5_000).default(2_000).meta({ description: "Events that are looked at, the latest first. At most 5,000." }),
      }),
      answer: { kind: "json", schema: timelineView },
      handle: async ({ caller }, { sinceMs, untilMs, lanes: wanted, ...query }) => ({
        json: readTimeline(events, {
          ...query,
          ...periodOf(sinceMs, untilMs, usualTimelineMs),
          lanes: new Set(wanted),
          spaces: caller.spaces,
        }),
      }),
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space/apps/:app/health",
      id: "getAppHealth",
      summary: "How an app was over time: well, degraded, failing, or not to run; by default of the last day.",
      access: { right: "read", of: "space" },
      query: z.strictObject(period),
      answer: { kind: "json", schema: healthHistory },
      handle: async ({ params }, { sinceMs, untilMs }) => {
        const of = { space: params["space"] as SpaceName, app: params["app"] as AppName };
        requireApp(services, of.space, of.app);
        return { json: readHealth(events, of, periodOf(sinceMs, untilMs, usualTimelineMs)) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/machines/:machine/health",
      id: "getMachineHealth",
      summary: "When a machine answered and when it did not; by default of the last day.",
      access: { right: "read", of: "common" },
      query: z.strictObject(period),
      answer: { kind: "json", schema: healthHistory },
      handle: async ({ params }, { sinceMs, untilMs }) => {
        const machine = params["machine"] as MachineId;
        if (!controlPlane.machines().some(({ id }) => id === machine)) throw noSuchMachine(machine);
        return { json: readHealth(events, { machine }, periodOf(sinceMs, untilMs, usualTimelineMs)) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/feedback",
      id: "getFeedback",
      summary: "How fast and how safely apps change: lead time, change failure rate and time to restore; by default of 30 days.",
      access: { right: "read", of: "each" },
      query: z.strictObject(scope),
      answer: { kind: "json", schema: feedbackView },
      handle: async ({ caller }, { sinceMs, untilMs, ...query }) => ({
        json: readFeedback(events, { ...query, ...periodOf(sinceMs, untilMs, usualFeedbackMs), spaces: caller.spaces }),
      }),
    }),
  ];
}
