import { z } from "zod";
import { DroverError } from "./errors.ts";
import { parseLogQuery } from "./log-query.ts";
import { divisor, measurementManifest } from "./measurement-schemas.ts";
import { appName, variableName } from "./name-schemas.ts";
import { namePattern } from "./names.ts";
import { duration, share } from "./quantity-schemas.ts";

/** Checks as a manifest writes them. Apart from the types, because only the server reads manifests. */

const text = (what: string, longest = 4096) => z.string(what).min(1, what).max(longest, `at most ${longest} characters`);
const port = z.int().min(1, "a port from 1 to 65535").max(65_535, "a port from 1 to 65535");

/** A name of a level or a check: it becomes part of ids, so it is a DNS label like every other name. */
export const ladderName = (what: string) =>
  z.string().regex(namePattern, `a ${what} name: 1 to 40 of a-z, 0-9 and "-", starting and ending with a letter or digit`);

const webAddress = z
  .string()
  .max(2048)
  .refine(
    (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && new URL(url).username === "",
    "an http or https address without a user",
  );

const pattern = text("a regular expression", 1024).refine((source) => {
  try {
    return new RegExp(source, "u") instanceof RegExp;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}, "a regular expression");

/** `/cart/` or plain text: both are a regular expression; the slashes are what people are used to. */
const bodyPattern = pattern.transform((source) => /^\/(.+)\/$/s.exec(source)?.[1] ?? source);

const timeOfDay = (hours: number) =>
  z
    .string()
    .regex(/^([01]\d|2[0-4]):[0-5]\d$/, "a time of day such as 08:00")
    .transform((time) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3)))
    .refine((minute) => minute <= hours * 60, "a time of day such as 08:00");

const zone = text("a time zone such as Europe/Berlin", 64).refine((name) => {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}, "a time zone such as Europe/Berlin");

const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export const weeklyHours = z
  .strictObject({
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .max(7)
      .default([...weekdays])
      .meta({ description: "Default: every day." }),
    from: timeOfDay(23.99).default(0).meta({ description: "Default 00:00." }),
    until: timeOfDay(24).default(1440).meta({ description: "Before `from`: it goes on into the next day. Default 24:00." }),
    zone: zone.meta({ description: "IANA time zone; hours follow its clocks, when they are changed too." }),
  })
  .refine(({ from, until }) => from !== until, "another time until than from");

export type WeeklyHoursManifest = z.output<typeof weeklyHours>;

const moment = z
  .string()
  .refine(
    (value) => /^\d{4}-\d\d-\d\dT.+(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
    "a moment such as 2027-01-31T22:00:00Z",
  )
  .transform((value) => Date.parse(value));

export const maintenance = z.array(
  z.union(
    [weeklyHours, z.strictObject({ start: moment, end: moment }).refine(({ start, end }) => start < end, "an end after its start")],
    "weekly hours, or a start and an end",
  ),
);

const logSearch = z.string().superRefine((query, context) => {
  try {
    parseLogQuery(query);
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    context.addIssue({ code: "custom", message: `a search of logs: ${error.message}` });
  }
});

const expectation = z.strictObject({
  status: z
    .union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1).max(20)], "a status such as 200, or a list of them")
    .optional()
    .meta({ description: "Default 200 to 399." }),
  body: bodyPattern.optional().meta({ description: "A regular expression that the body has to match." }),
  headers: z.record(text("a header", 100), text("a value", 1024)).optional(),
  json: z
    .record(
      z.string().regex(/^\$(\.[A-Za-z0-9_-]+|\[\d+\])*$/, "a path such as $.status"),
      z.union([z.string(), z.number(), z.boolean(), z.null()]),
    )
    .optional()
    .meta({ description: "Path in a JSON body, such as $.status, and the value there." }),
  tls: duration.optional().meta({ description: "How long the certificate has to be good for still." }),
});

const bound = z.union([z.number(), share], "a number, or a share such as 5%");

const tests = {
  http: webAddress.optional().meta({ description: "An address that has to answer as `expect` says." }),
  tcp: z
    .union([port, z.array(port).min(1).max(50)], "a port, or a list of ports")
    .optional()
    .meta({ description: "Ports that have to accept a connection." }),
  icmp: z.literal(true).optional().meta({ description: "The target has to answer a ping." }),
  dns: z
    .strictObject({
      name: text("a domain name", 253),
      type: z.enum(["A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT"]).default("A"),
      answers: z.array(text("an answer", 255)).max(50).default([]),
      server: text("a name server", 253).optional(),
    })
    .optional()
    .meta({ description: "A name that has to resolve, to these answers if any are given." }),
  run: text("a command line", 16_384).optional().meta({ description: "A command line, run by `sh`, that has to exit with 0." }),
  heartbeat: duration.optional().meta({ description: "Something has to call in at least this often." }),
  metric: z
    .strictObject({
      ...measurementManifest,
      of: divisor,
      above: bound.optional().meta({ description: "Fails above this: a number, or a share such as 5%." }),
      below: bound.optional().meta({ description: "Fails below this." }),
      over: measurementManifest.over.default(120_000).meta({ description: "The time that is looked at, 15s to 30m. Default 2m." }),
    })
    .refine(({ above, below }) => (above === undefined) !== (below === undefined), "exactly one of above and below")
    .optional()
    .meta({
      description:
        "A figure of the target that fails the check when it is above or below a value. While it is not known, nothing is said. `{ name: drover_route_errors_total, of: drover_route_requests_total, above: 5%, over: 2m }`",
    }),
  log: z
    .strictObject({ search: logSearch, most: z.int().min(0).max(1_000_000).default(0), over: duration.default(300_000) })
    .optional()
    .meta({
      description:
        "Events of logs that must not come more often than `most` times within `over`: a search as `drover logs --search` takes it, of the app, or of the space.",
    }),
  ready: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .meta({ description: "How many machines of the pool, or instances of the app, have to be ready." }),
};
export const testKinds = Object.keys(tests) as readonly (keyof typeof tests)[];

export const checkManifest = z
  .strictObject({
    ...tests,
    host: text("a host", 253).optional().meta({ description: "With tcp or icmp: another host than the target." }),
    expect: expectation.optional().meta({ description: "With http: what the answer has to be." }),
    method: z.enum(["GET", "HEAD", "POST"]).optional().meta({ description: "With http. Default GET." }),
    headers: z.record(text("a header", 100), text("a value", 1024)).optional().meta({ description: "With http: headers to send." }),
    output: z
      .enum(["exit", "nagios", "cucumber"])
      .optional()
      .meta({ description: "With run: how its output is read. nagios: a plugin; cucumber: the line of cucumber-nagios. Default exit." }),
    env: z.record(variableName, z.string().max(65_536)).optional().meta({ description: "With run: its environment." }),
    each: z.enum(["app", "machine", "pool"]).optional().meta({ description: "Made for each of them. Left out, once for the space." }),
    app: appName.optional().meta({ description: "Only for this app." }),
    level: ladderName("level").optional().meta({ description: "The level that it asks for when it fails. Left out, it is watched only." }),
    every: duration
      .refine((ms) => ms >= 1_000, "at least 1s")
      .default(30_000)
      .meta({ description: "Default 30s." }),
    timeout: duration
      .refine((ms) => ms > 0, "more than 0s")
      .optional()
      .meta({ description: "Default 10s, or the interval where that is shorter." }),
    failures: z.int().min(1).max(100).default(3).meta({ description: "Failures in a row that make it failing. Default 3." }),
    from: z
      .array(z.enum(["server", "agent", "edge"]))
      .min(1)
      .max(3)
      .default(["server"])
      .meta({
        description:
          "Where it is made: server, agent, edge. With several, a majority decides. Default [server]; commands are always run by agents.",
      }),
    expected: weeklyHours.optional().meta({ description: "Outside of these hours it is watched and asks for nothing." }),
    maintenance: maintenance.default([]).meta({ description: "Planned work: what fails meanwhile is recorded and asks for nothing." }),
  })
  .superRefine((check, context) => {
    const kinds = testKinds.filter((kind) => check[kind] !== undefined);
    if (kinds.length !== 1) context.addIssue({ code: "custom", path: [], message: `exactly one of ${testKinds.join(", ")}` });
    const needs = (key: keyof typeof check, of: readonly string[]) => {
      if (check[key] !== undefined && !kinds.some((kind) => of.includes(kind)))
        context.addIssue({ code: "custom", path: [key], message: `${of.join(" or ")} beside it` });
    };
    for (const key of ["expect", "method", "headers"] as const) needs(key, ["http"]);
    for (const key of ["output", "env"] as const) needs(key, ["run"]);
    needs("host", ["tcp", "icmp"]);
    if (check.metric !== undefined && check.each === "pool")
      context.addIssue({ code: "custom", path: ["each"], message: "app or machine: no figure is of a pool" });
    if (check.run !== undefined && check.from.includes("edge"))
      context.addIssue({ code: "custom", path: ["from"], message: "agent: nobody else runs commands" });
    if (check.each !== undefined && check.app !== undefined)
      context.addIssue({ code: "custom", path: ["each"], message: "either each or app, not both" });
    if (check.timeout !== undefined && check.timeout > check.every)
      context.addIssue({ code: "custom", path: ["timeout"], message: "at most as long as the interval" });
  });

export type CheckManifest = z.output<typeof checkManifest>;

export const checksManifest = z
  .record(ladderName("check"), checkManifest)
  .refine((checks) => Object.keys(checks).length <= 500, "at most 500 checks");
