import { z } from "zod";
import { checksManifest } from "./check-schemas.ts";
import { escalateManifest, ladderManifest } from "./ladder-schemas.ts";
import { appName, processName, spaceName, variableName } from "./name-schemas.ts";
import { namePattern } from "./names.ts";
import { poolManifest, poolName } from "./pool-schemas.ts";
import { duration, share, size } from "./quantity-schemas.ts";
import { routeManifest } from "./route-schemas.ts";
import { scaleManifest } from "./scale-schemas.ts";
import { hostName, httpPath, machineLabel, machineLabels, notYet, port, unique } from "./schema-parts.ts";
import { spaceLogsManifest } from "./space-logs-schemas.ts";

/**
 * The manifest: what a person writes. These schemas are the one source of validation, types, the JSON Schema for editors and the reference.
 * Unknown keys are refused. Keys that later versions honour are known here as not yet supported, so that nothing is dropped silently.
 */

const text = (what: string, longest = 4096) =>
  z
    .string()
    .min(1, what)
    .max(longest, `at most ${longest} characters`)
    .refine((value) => !value.includes("\0"), "text without NUL characters");

const command = text("a command line", 16_384);
const probeTarget = {
  http: httpPath.optional().meta({ description: "Passes when a GET of this path on the instance's port answers 200 to 399." }),
  tcp: z.literal(true).optional().meta({ description: "Passes when the instance's port accepts a connection." }),
  run: command.optional().meta({ description: "Passes when this command, run as the app in its folder, exits with 0." }),
};
const oneTarget = (probe: { http?: unknown; tcp?: unknown; run?: unknown }) =>
  [probe.http, probe.tcp, probe.run].filter((target) => target !== undefined).length === 1;

export const readyProbe = z
  .strictObject({
    ...probeTarget,
    every: duration
      .default(5_000)
      .meta({ description: "Interval once the instance is ready; the first probes come much faster. Default 5s." }),
    timeout: duration.default(2_000).meta({ description: "How long one probe may take. Default 2s." }),
    failures: z
      .int()
      .min(1)
      .max(100)
      .default(2)
      .meta({ description: "Failures in a row that take a ready instance out of traffic. Default 2." }),
  })
  .refine(oneTarget, "exactly one of http, tcp and run");

export const aliveProbe = z
  .strictObject({
    ...probeTarget,
    every: duration.default(10_000).meta({ description: "Interval. Default 10s." }),
    timeout: duration.default(2_000).meta({ description: "How long one probe may take. Default 2s." }),
    failures: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .meta({ description: "Failures in a row after which the instance is restarted in place. Default 3." }),
  })
  .refine(oneTarget, "exactly one of http, tcp and run");

export const resources = z.strictObject({
  cpu: z
    .number()
    .min(0.01, "at least 0.01 cores")
    .max(1024)
    .optional()
    .meta({ description: "Cores; reserved, and a limit where the machine can limit." }),
  memory: size
    .optional()
    .meta({ description: "Reserved, and a limit where the machine can limit; over it the instance is killed and restarted." }),
  pids: z.int().min(8).max(1_000_000).default(512).meta({ description: "Most processes and threads of one instance. Default 512." }),
});

const instances = z.int().min(0).max(10_000);

const onlyOne = z.boolean().optional().meta({
  description:
    "It must never run twice: the old one has ended for sure before a new one starts, at a deploy as when its machine is lost. Default false.",
});

const infoPath = z.union([httpPath, z.literal("none")]).meta({
  description:
    "Path at which an instance says as JSON which version it is, for `drover versions`. Left out, one that speaks HTTP is asked at /info; `none`: it is not asked.",
});

const metricsPlace = z
  .union([
    httpPath.transform((path) => ({ path, port: undefined, every: undefined })),
    z.strictObject({
      path: httpPath.default("/metrics").meta({ description: "Default /metrics." }),
      port: port
        .optional()
        .meta({ description: "Where that is not the instance's own port: a port of 127.0.0.1, so one instance on a machine." }),
      every: duration
        .refine((ms) => ms >= 15_000 && ms <= 300_000 && ms % 15_000 === 0, "15s to 5m, in steps of 15s")
        .optional()
        .meta({ description: "How often they are read: 15s to 5m, in steps of 15s. Default 15s." }),
    }),
  ])
  .meta({
    description:
      "Where an instance tells figures of its own, in the text format of Prometheus: a path, or `{ path, port, every }`. They are read every 15 seconds unless it says otherwise, kept and told with Drover's.",
  });

const statsd = z.boolean().meta({
  description:
    "Its instances send figures of their own by statsd, DogStatsD's tags among it, to $STATSD_HOST and $STATSD_PORT. Kept and told with Drover's. Default false.",
});

export const processManifest = z.strictObject({
  run: command
    .optional()
    .meta({ description: "The command line, run by `sh` in the artifact's folder. Left out, what the build found is run." }),
  instances: instances.optional().meta({ description: "How many. Left out, what `drover scale` set stays; 1 at first." }),
  port: z
    .union([port, z.literal("none")])
    .optional()
    .meta({
      description:
        "Left out: Drover gives a free port in $PORT to `web`, to what a route names, and to what has an http or tcp probe or tells figures there. A number: that port, so one instance on a machine.",
    }),
  protocol: z
    .enum(["http", "tcp"])
    .default("http")
    .meta({ description: "What it speaks on its port; `needs` hands out http:// or tcp:// accordingly." }),
  address: z.enum(["needed", "always"]).optional().meta({
    description:
      "When its service address is open on this machine: `needed` (the default) while another app of the space needs it, or `always`, for programs that are no apps.",
  }),
  resources: resources.optional(),
  ready: readyProbe
    .optional()
    .meta({ description: "No traffic until it passes. Left out: the port accepts a connection, or, without a port, the process runs." }),
  alive: aliveProbe.optional().meta({ description: "Restarted in place when it fails." }),
  scale: scaleManifest.optional().meta({ description: "By rules in place of `instances`: as many as its load needs." }),
  info: infoPath.optional(),
  metrics: metricsPlace.optional(),
  statsd: statsd.optional(),
  only_one: onlyOne,
});

export const deployManifest = z.strictObject({
  strategy: z.enum(["rolling", "blue-green", "canary"]).default("rolling").meta({
    description: "rolling: replace a few at a time. blue-green: start all, then switch traffic at once. canary: shift traffic by `steps`.",
  }),
  surge: z
    .union([
      z
        .int()
        .min(1)
        .max(10_000)
        .transform((count) => ({ instances: count })),
      share.refine((value) => value > 0, "more than 0%").transform((value) => ({ share: value })),
    ])
    .default({ share: 0.25 })
    .meta({
      description: "rolling: how many instances more than wanted may run meanwhile, as a number or share, at least one. Default 25%.",
    }),
  steps: z
    .array(share.refine((value) => value > 0 && value < 1, "a share between 0% and 100%"))
    .min(1)
    .max(20)
    .refine((steps) => steps.every((step, i) => i === 0 || step > (steps[i - 1] as number)), "rising shares")
    .default([0.1, 0.5])
    .meta({ description: "canary: shares of traffic for the new release before it takes all. Default [10%, 50%]." }),
  hold: duration.default(60_000).meta({ description: "canary: how long each step is watched. Default 1m." }),
  deadline: duration
    .default(300_000)
    .meta({ description: "How long a release may take to become ready, holds not counted; then it is rolled back. Default 5m." }),
  abort: z
    .strictObject({
      errors: share.optional().meta({ description: "Share of 5xx answers of the new release." }),
      p99: duration.optional().meta({ description: "99th percentile of its answer times." }),
    })
    .optional()
    .meta({ description: "canary: rolls back as soon as the new release is worse than this, after at least 20 requests." }),
});

export const stopManifest = z.strictObject({
  signal: z
    .enum(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
    .default("SIGTERM")
    .meta({ description: "Default SIGTERM." }),
  drain: duration.default(10_000).meta({
    description:
      "How long requests in flight may go on after the instance left the routing table. Ends early when none is left. Default 10s.",
  }),
  grace: duration.default(10_000).meta({ description: "Time from the signal to SIGKILL of the whole group. Default 10s." }),
});

export const placeManifest = z.strictObject({
  labels: machineLabels.default({}).meta({ description: "Labels that a machine must have: `{ disk: ssd }`." }),
  pool: poolName.optional().meta({ description: "The pool whose machines alone take it." }),
  spread: machineLabel
    .transform((label) => (label === "machine" ? null : label))
    .default(null)
    .meta({
      description: "The label over whose values its instances spread first, such as `zone`; then over machines. Default `machine`.",
    }),
  clusters: notYet("placement over clusters"),
  failover: notYet("placement over clusters"),
});

export const environmentManifest = z.record(
  variableName,
  z
    .union(
      [
        z
          .string()
          .max(65_536)
          .refine((value) => !value.includes("\0"), "text without NUL characters"),
        z.int(),
        z.boolean(),
      ],
      "text, a whole number or true/false; put anything else in quotes",
    )
    .transform(String),
);

const volumeName = z.string().regex(namePattern, "a volume name: 1 to 40 of a-z, 0-9 and -");

export const appManifest = z
  .strictObject({
    app: appName.meta({ description: "The app's name, unique in its space." }),
    team: text("a team", 100).optional().meta({ description: "Who owns it." }),
    source: text("a folder, relative to the manifest", 1024)
      .optional()
      .meta({ description: "Folder that is built into an artifact, relative to the manifest." }),
    build: z
      .strictObject({
        run: command.optional().meta({ description: "Command that builds, in place of what Drover would choose." }),
        timeout: duration.default(600_000).meta({ description: "Default 10m." }),
        memory: size.default(2 * 2 ** 30).meta({ description: "Default 2GiB." }),
      })
      .optional(),
    image: notYet("container images; they need a container engine"),
    run: command.optional().meta({ description: "Short for processes.web.run." }),
    instances: instances.optional().meta({ description: "Short for processes.web.instances." }),
    port: processManifest.shape.port.meta({ description: "Short for processes.web.port." }),
    resources: resources.optional().meta({ description: "Short for processes.web.resources." }),
    ready: readyProbe.optional().meta({ description: "Short for processes.web.ready." }),
    alive: aliveProbe.optional().meta({ description: "Short for processes.web.alive." }),
    scale: scaleManifest.optional().meta({ description: "Short for processes.web.scale." }),
    info: infoPath.optional().meta({ description: "Short for processes.web.info." }),
    metrics: metricsPlace.optional().meta({ description: "Short for processes.web.metrics." }),
    statsd: statsd.optional().meta({ description: "Short for processes.web.statsd." }),
    only_one: onlyOne.meta({ description: "Short for processes.web.only_one." }),
    processes: z
      .record(processName, processManifest)
      .refine((processes) => Object.keys(processes).length <= 50, "at most 50 processes")
      .optional()
      .meta({ description: "The kinds of process, each scaled by itself." }),
    routes: z
      .array(routeManifest)
      .max(100)
      .optional()
      .meta({ description: "Left out, an app with a `web` process is routed at `<app>.<domain of the space>`." }),
    env: environmentManifest.default({}).meta({ description: "Environment of every process." }),
    secrets: z
      .array(variableName)
      .max(100)
      .refine(unique, "each secret once")
      .default([])
      .meta({ description: "Names of the space's secrets, given as environment." }),
    needs: z
      .array(appName)
      .max(50)
      .refine(unique, "each app once")
      .default([])
      .meta({ description: "Apps of the space it calls: `billing` gives $BILLING_URL, an address that stays." }),
    volumes: z
      .record(
        volumeName,
        z.strictObject({
          mount: notYet("mounting a volume at a path; its folder is in $<NAME>_DIR"),
          backup: notYet("backups of volumes"),
        }),
      )
      .default({})
      .meta({ description: "Folders that outlive releases: `uploads` gives $UPLOADS_DIR." }),
    deploy: deployManifest.prefault({}),
    before: z
      .union([
        command.transform((run) => ({ run, timeout: 300_000 })),
        z.strictObject({ run: command, timeout: duration.default(300_000) }),
      ])
      .optional()
      .meta({ description: "Runs once per release, before any instance of it; if it fails, so does the release." }),
    stop: stopManifest.prefault({}),
    overlays: z
      .record(spaceName, z.record(z.string(), z.unknown()))
      .optional()
      .meta({ description: "For each space, keys that replace or add to the ones above (JSON merge patch, RFC 7396)." }),
    jobs: notYet("jobs"),
    checks: checksManifest.optional().meta({ description: "Promises of this app that are tested from outside." }),
    escalate: escalateManifest.optional().meta({
      description: "What is tried when they fail, in this order: restart, redeploy, rollback, tell. Default all four.",
    }),
    place: placeManifest.optional().meta({
      description: "Which machines it may run on, and over what it spreads. Left out: all of them, spread over machines.",
    }),
  })
  .superRefine((app, context) => {
    const shorts = (
      ["run", "instances", "port", "resources", "ready", "alive", "scale", "info", "metrics", "statsd", "only_one"] as const
    ).filter((key) => app[key] !== undefined);
    const web = app.processes?.["web" as z.infer<typeof processName>];
    for (const key of shorts) {
      if (web !== undefined) context.addIssue({ code: "custom", path: [key], message: `either ${key} or processes.web, not both` });
    }
    checkScale(app, [], context);
    checkOnlyOne(app, [], context);
    checkMetrics(app, [], context);
    for (const [name, process] of Object.entries(app.processes ?? {})) {
      checkScale(process, ["processes", name], context);
      checkOnlyOne(process, ["processes", name], context);
      checkMetrics(process, ["processes", name], context);
    }
    if (app.source === undefined) {
      if (shorts.length > 0 && app.run === undefined && web === undefined)
        context.addIssue({ code: "custom", path: [shorts[0] as string], message: "a run command beside it, or a source" });
      for (const [name, process] of Object.entries(app.processes ?? {})) {
        if (process.run === undefined)
          context.addIssue({
            code: "custom",
            path: ["processes", name],
            message: "a run command, because there is no source to find one in",
          });
      }
      if (app.run === undefined && Object.keys(app.processes ?? {}).length === 0)
        context.addIssue({ code: "custom", path: [], message: "something to run: run, processes or source" });
      if (app.build !== undefined) context.addIssue({ code: "custom", path: ["build"], message: "a source beside it" });
    }
    if (app.needs.includes(app.app)) context.addIssue({ code: "custom", path: ["needs"], message: "other apps than itself" });
  });

/** What a rule about the number of instances needs beside it, and what would contradict it. */
function checkScale(
  { scale, instances: count, port: own, resources: reserved }: ScaledParts,
  path: readonly string[],
  context: z.RefinementCtx,
): void {
  if (scale === undefined) return;
  const problem = (at: readonly string[], message: string) => context.addIssue({ code: "custom", path: [...path, ...at], message });
  if (count !== undefined) problem(["instances"], "either instances or scale, not both");
  if (scale.on.memory !== undefined && reserved?.memory === undefined)
    problem(["scale", "on", "memory"], "`resources.memory` beside it, of which it is a share");
  if (own === "none")
    for (const key of ["rps", "latency"] as const)
      if (scale.on[key] !== undefined) problem(["scale", "on", key], "a process with a port: requests are what it counts");
}

/** Of what must never run twice, no number may be wanted that asks for it. */
function checkOnlyOne(
  { only_one: isOnlyOne, instances: count, scale }: ScaledParts,
  path: readonly string[],
  context: z.RefinementCtx,
): void {
  if (isOnlyOne !== true) return;
  const problem = (key: string, message: string) => context.addIssue({ code: "custom", path: [...path, key], message });
  if (count !== undefined && count > 1) problem("instances", "0 or 1 beside only_one");
  if (scale !== undefined) problem("scale", "either scale or only_one, not both");
}

/** Figures are read at a port. */
function checkMetrics({ metrics, port: own }: ScaledParts, path: readonly string[], context: z.RefinementCtx): void {
  if (metrics !== undefined && metrics.port === undefined && own === "none")
    context.addIssue({ code: "custom", path: [...path, "metrics"], message: "a `port` in it, because the process has none of its own" });
}

type ScaledParts = Pick<z.output<typeof processManifest>, "scale" | "metrics" | "only_one" | "instances" | "port" | "resources">;

export const spaceManifest = z.strictObject({
  space: spaceName.meta({ description: "The space's name." }),
  domain: hostName
    .optional()
    .meta({ description: "Apps are routed at `<app>.<domain>`. Default `<space>.localhost`, which every machine resolves to itself." }),
  env: environmentManifest.default({}).meta({ description: "Environment of every app in the space." }),
  logs: spaceLogsManifest.optional().meta({ description: "What becomes of what its apps print." }),
  quota: notYet("quotas"),
});

/** The key that names a document says its kind. The kinds without a schema are known, and not yet supported. */
export const documentKinds = {
  space: spaceManifest,
  app: appManifest,
  ladder: ladderManifest,
  pool: poolManifest,
  cluster: null,
  policy: null,
  job: null,
} as const;

export type DocumentKind = keyof typeof documentKinds;
export type AppManifest = z.output<typeof appManifest>;
export type ProcessManifest = z.output<typeof processManifest>;
export type DeployManifest = z.output<typeof deployManifest>;
export type SpaceManifest = z.output<typeof spaceManifest>;
