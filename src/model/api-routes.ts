import { z } from "zod";
import { reason } from "./api.ts";

/** The bodies of the API about routes: what leads where, and how much takes that way. */

const rate = z.object({ requests: z.int(), perMs: z.int(), burst: z.int() });

export const routeTraffic = z
  .object({
    requests: z.int(),
    errors: z.int().meta({ description: "Answers of 500 and above, and requests that got none." }),
    bytesIn: z.int(),
    bytesOut: z.int(),
    p50Ms: z
      .number()
      .nullable()
      .meta({ description: "At most so long, by a histogram whose last bound, 12800, also stands for more; null without requests." }),
    p99Ms: z.number().nullable(),
    classes: z.array(z.int()).meta({ description: "Answers of 1xx (upgrades), 2xx, 3xx, 4xx and 5xx." }),
  })
  .meta({ id: "RouteTraffic", description: "Of all edges, since each of them was started." });

export const routeTarget = z
  .object({
    release: z.int(),
    share: z.number().meta({ description: "Part of new clients that it gets, 0 to 1." }),
    endpoints: z.array(z.object({ instance: z.string(), host: z.string(), port: z.int() })).meta({ description: "Ready ones alone." }),
    traffic: routeTraffic.nullable(),
  })
  .meta({ id: "RouteTarget" });

export const routeTls = z
  .object({
    mode: z.enum(["off", "both", "redirect", "passthrough"]).meta({
      description: "redirect: plain HTTP is sent on to HTTPS; both: served on both; passthrough: the app ends TLS itself.",
    }),
    certificate: z.string().nullable().meta({ description: "Id of the one that is shown." }),
    hstsMs: z.int().nullable(),
    clients: z.boolean().meta({ description: "Whether only clients with a certificate get in." }),
  })
  .meta({ id: "RouteTls" });

export const routeView = z
  .object({
    id: z.string(),
    space: z.string(),
    app: z.string(),
    process: z.string(),
    kind: z
      .enum(["http", "passthrough", "port", "service"])
      .meta({ description: "service: a loopback address that other apps get by `needs`." }),
    place: z.string().meta({ description: 'What it is called: host and path, or "tcp 5432".' }),
    host: z.string().nullable(),
    path: z.string().nullable(),
    port: z.int().nullable().meta({ description: "Of its own; null for the edge's public ports." }),
    protocol: z.enum(["http", "tcp", "udp"]),
    when: z.object({ headers: z.record(z.string(), z.string().nullable()), methods: z.array(z.string()) }),
    url: z.string().nullable().meta({ description: "Null where there is none that anyone could open." }),
    tls: routeTls.nullable().meta({ description: "Null where the edge has nothing to do with it." }),
    upstream: z.object({ protocol: z.enum(["http1", "h2c", "https"]), verified: z.boolean() }),
    limits: z.object({
      headBytes: z.int().nullable(),
      bodyBytes: z.int().nullable(),
      bodyRate: z.int().nullable(),
      requestMs: z.int().nullable(),
      answerMs: z.int().nullable(),
      idleMs: z.int().nullable(),
      rate: rate.nullable(),
      ratePerClient: rate.nullable(),
    }),
    stickyMs: z.int().nullable(),
    answer: z
      .string()
      .nullable()
      .meta({ description: 'What is answered in place of the app: "maintenance", or the redirect\'s target; null: the app.' }),
    targets: z.array(routeTarget),
    traffic: routeTraffic.nullable().meta({ description: "Of all releases, those that left among them; null while no edge answers." }),
    inForce: z.boolean().meta({ description: "Whether every linked edge has confirmed it." }),
    problem: reason.nullable().meta({ description: "Why it is not carried as it is wanted." }),
  })
  .meta({ id: "Route" });

export type RouteTrafficView = z.output<typeof routeTraffic>;
export type RouteTargetView = z.output<typeof routeTarget>;
export type RouteTlsView = z.output<typeof routeTls>;
export type RouteView = z.output<typeof routeView>;
