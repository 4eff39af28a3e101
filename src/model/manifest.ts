import { z } from "zod";
import { checksManifest } from "./check-schemas.ts";
import { escalateManifest, ladderManifest } from "./ladder-schemas.ts";
import { appName, processName, spaceName, variableName } from "./name-schemas.ts";
import { namePattern } from "./names.ts";
import { parseRate } from "./quantities.ts";
import { duration, share, size } from "./quantity-schemas.ts";

/**
 * The manifest: what a person writes. These schemas are the one source of validation, types, the JSON Schema for editors and the reference.
 * Unknown keys are refused. Keys that later versions honour are known here as not yet supported, so that nothing is dropped silently.
 */

/** A key of the plan that this version cannot honour: allowed to be known, refused when used. */
const notYet = (what: string) =>
  z
    .unknown()
    .superRefine((value, context) => {
      if (value !== undefined) context.addIssue({ code: "custom", message: what, params: { notYet: true } });
    })
    .optional()
    .meta({ description: `Not yet supported: ${what}.`, notYetSupported: true });

const text = (what: string, longest = 4096) =>
  z
    .string()
    .min(1, what)
    .max(longest, `at most ${longest} characters`)
    .refine((value) => !value.includes("\0"), "text without NUL characters");

const command = text("a command line", 16_384);
const port = z.int().min(1, "a port from 1 to 65535").max(65_535, "a port from 1 to 65535");
const httpPath = z
  .string()
  .max(1024)
  .regex(/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$/, "an absolute path such as /ready");

/** A host name: DNS labels joined by dots, in lower case. */
export const hostName = z
  .string()
  .max(253)
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    "a host name in lower case, such as shop.example.com",
  );

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
        "Left out: Drover gives a free port in $PORT to `web`, to what a route names and to what has an http or tcp probe. A number: that port, so one instance on a machine.",
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
  scale: notYet("scaling by rules; set `instances`"),
  only_one: notYet("never running twice"),
});

/** Where a redirect leads: an absolute URL, or a path of the same host. */
const redirectTarget = z
  .string()
  .max(2_048)
  .regex(
    /^(?:https?:\/\/[A-Za-z0-9.{}[\]:-]+|\{uri\}|\{path\}|(?=\/[^/]|\/$))[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7e]*$/,
    "a URL such as https://new.example.com{uri}, or a path",
  )
  .refine(
    (to) => (to.match(/\{[^}]*\}?/g) ?? []).every((name) => ["{host}", "{path}", "{uri}"].includes(name)),
    "only {host}, {path} and {uri} in braces",
  );

/** An exact name, `*.` in front of one, or `*`. */
export const routeHost = z.union(
  [
    hostName,
    z.literal("*"),
    z
      .string()
      .max(253)
      .regex(/^\*\.(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/),
  ],
  {
    error: "a host name in lower case such as shop.example.com, *.example.com for any one label, or * for every host",
  },
);

/** `100/s`, or with a burst of its own. */
const rate = z.union(
  [
    z
      .string()
      .refine((text) => parseRate(text) !== null, "a rate such as 100/s, 20/m or 1000/h")
      .transform((text) => parseRate(text) as { requests: number; perMs: number })
      .transform(({ requests, perMs }) => ({ requests, perMs, burst: requests })),
    z
      .strictObject({
        requests: z.int().min(1).max(1_000_000),
        per: duration.refine((ms) => ms >= 1, "more than nothing"),
        burst: z.int().min(1).max(1_000_000).optional(),
      })
      .transform(({ requests, per, burst }) => ({ requests, perMs: per, burst: burst ?? requests })),
  ],
  { error: "a rate such as 100/s, or { requests, per, burst }" },
);

const atLeast = (least: number, what: string) => duration.refine((ms) => ms >= least, what);
const wait = atLeast(1, "more than nothing");

export const routeLimits = z.strictObject({
  body: size.optional().meta({ description: "Largest body of a request; beyond is 413. Left out: no limit." }),
  head: size
    .refine((bytes) => bytes >= 256 && bytes <= 32_768, "256B to 32KiB")
    .optional()
    .meta({ description: "Largest request line and headers together; beyond is 431. Default 32KiB, which is also the most." }),
  request: wait
    .optional()
    .meta({ description: "A request and its answer together, from the end of the request's headers. Left out: no limit." }),
  idle: wait
    .optional()
    .meta({ description: "Without a byte either way. Default 30s for a request's body, 10m for an answer, 1h for a WebSocket." }),
  answer: wait.optional().meta({ description: "Until the first byte of the answer; beyond is 504. Default 5m." }),
  rate: rate.optional().meta({ description: "Requests of all clients together; beyond is 429. Each worker of the edge counts by itself." }),
  rate_per_client: rate.optional().meta({
    description: "Requests of one client: an IPv4 address or an IPv6 /64; beyond is 429. Each worker of the edge counts by itself.",
  }),
});

/** What the edge says itself, or takes away, before rules see it. */
const edgeHeaders =
  /^(?:host|connection|content-length|transfer-encoding|upgrade|expect|keep-alive|te|trailer|proxy.*|forwarded|x-real-ip|x-forwarded-.*|x-drover-.*|x-ssl-.*|client-cert|client-cert-chain|x-client-cert-.*|x-original-url|x-rewrite-url|x-request-id|traceparent|http2-settings)$/;
const headerName = z
  .string()
  .max(100)
  .regex(/^[a-z0-9!#$%&'*+.^`|~-]+$/, "a header name in lower case, without underscores")
  .refine((name) => !edgeHeaders.test(name), "a header of the app's own; this one the edge uses itself");
const headerValue = z.union(
  [
    z.literal(true),
    z
      .string()
      .max(1_024)
      .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/),
  ],
  "the header's exact value as text, or true for any",
);

/** The edge checks them in full; this only tells a file's name from its content. */
const pem = (label: string) =>
  z
    .string()
    .max(262_144)
    .regex(new RegExp(`-----BEGIN ${label}-----[\\s\\S]+-----END ${label}-----`), `the PEM text itself, with its line BEGIN ${label}`);

export const routeTls = z.union(
  [
    z.enum(["auto", "redirect", "both", "off", "passthrough"]).transform((mode) => ({ mode })),
    z.strictObject({
      mode: z.enum(["auto", "redirect", "both"]).default("auto"),
      hsts: duration.optional().meta({ description: "Strict-Transport-Security for so long, such as 365d. Left out: none." }),
      clients: z
        .strictObject({
          ca: pem("CERTIFICATE").meta({ description: "Certificates of the authority, PEM." }),
          revoked: pem("X509 CRL").optional().meta({ description: "The authority's list of revoked certificates, PEM." }),
        })
        .optional()
        .meta({
          description:
            "Only clients with a certificate of this authority get in; who they are is told to the app in x-client-cert-subject, -issuer, -serial and -fingerprint. One authority a host.",
        }),
    }),
  ],
  { error: "auto, redirect, both, off, passthrough, or { mode, hsts, clients }" },
);

export const upstream = z.union(
  [
    z.enum(["http1", "h2c"]).transform((protocol) => ({ protocol })),
    z.strictObject({
      protocol: z.literal("https"),
      verify: z.boolean().default(true).meta({ description: "false takes any certificate, which is shown wherever the route is." }),
      ca: pem("CERTIFICATE").optional().meta({ description: "Trusted in place of the machine's authorities, PEM." }),
      name: hostName.optional().meta({ description: "The name that its certificate has to be for." }),
    }),
  ],
  { error: "http1, h2c, or { protocol: https, verify, ca, name }" },
);

export const routeManifest = z
  .strictObject({
    host: routeHost
      .optional()
      .meta({ description: "Left out: `<app>.<domain of the space>`. `*.example.com` takes any one label in front, `*` every host." }),
    path: httpPath
      .refine((path) => !path.includes("?") && !path.includes("%"), "a path prefix without query or escapes")
      .optional()
      .meta({ description: "Requests whose path is this, or below it, match. The longest match wins. Default /." }),
    headers: z
      .record(headerName, headerValue)
      .refine((headers) => Object.keys(headers).length <= 10, "at most 10 headers")
      .optional()
      .meta({ description: "Only requests that have these headers match: with exactly this value, or, with `true`, with any." }),
    methods: z
      .array(
        z
          .string()
          .max(32)
          .regex(/^[A-Z]+(?:-[A-Z]+)*$/, "a method in upper case, such as GET"),
      )
      .min(1)
      .max(20)
      .refine(unique, "each method once")
      .optional()
      .meta({ description: "Only requests with one of these methods match." }),
    port: port.optional().meta({
      description: "A public port of its own in place of host and path, for what is not HTTP: every connection there goes to the app.",
    }),
    protocol: z.enum(["tcp", "udp"]).optional().meta({ description: "Of `port`. Default tcp." }),
    to: processName.default("web" as z.infer<typeof processName>).meta({ description: "The process that serves it. Default web." }),
    sticky: atLeast(1_000, "at least 1s").optional().meta({
      description: "For so long a client stays with the release and the instance that served it first, by a cookie of the edge's own.",
    }),
    limits: routeLimits.optional().meta({ description: "Bounds of requests, each with a default of the edge." }),
    redirect: z
      .union([
        redirectTarget.transform((to) => ({ to, status: 308 as const })),
        z.strictObject({
          to: redirectTarget,
          status: z.union([z.literal(301), z.literal(302), z.literal(307), z.literal(308)]).default(308),
        }),
      ])
      .optional()
      .meta({
        description:
          "Sends clients elsewhere in place of the app. `{host}`, `{path}` and `{uri}` (path and query) are the request's. Status 308 unless said.",
      }),
    compress: z.boolean().optional().meta({
      description:
        "Compresses (brotli, gzip) text-like answers from 1 kB that the app left uncompressed, for clients that take it. Default true.",
    }),
    log: share
      .optional()
      .meta({ description: "Share of requests in the edge's access log; those that failed are always in it. Default 0%." }),
    trace: z.boolean().optional().meta({
      description: "Starts a W3C trace (traceparent) for requests without one. One that a client began always goes on. Default false.",
    }),
    proxy_protocol: z
      .strictObject({
        from: z.boolean().optional().meta({ description: "Clients have to begin with a PROXY protocol header, version 1 or 2." }),
        to: z.boolean().optional().meta({ description: "Instances get a PROXY protocol header, version 2." }),
      })
      .optional()
      .meta({ description: "For routes with a `port`: who the client is, said in front of its bytes." }),
    tls: routeTls.optional().meta({
      description:
        "auto (default): HTTPS beside HTTP, and HTTP sent on to HTTPS where browsers trust the host's certificate. redirect, both: the one or the other whatever the certificate. off: HTTP alone. passthrough: the app ends TLS itself. Or an object, to say more.",
    }),
    upstream: upstream.optional().meta({
      description: "What the instances speak: http1 (default), h2c (HTTP/2 without TLS, as gRPC has it), or https, to be verified.",
    }),
    weights: notYet("weights by hand; see deploy"),
  })
  .superRefine((route, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    const isPort = route.port !== undefined;
    for (const key of ["host", "path", "headers", "methods", "sticky", "redirect", "compress", "log", "trace", "tls", "upstream"] as const)
      if (isPort && route[key] !== undefined) refuse(key, "no port beside it: this is for HTTP");
    for (const key of ["body", "head", "request", "answer", "rate", "rate_per_client"] as const)
      if (isPort && route.limits?.[key] !== undefined)
        context.addIssue({ code: "custom", path: ["limits", key], message: "no port beside it: this is for HTTP" });
    if (route.tls?.mode === "passthrough")
      for (const key of ["path", "headers", "methods", "sticky", "redirect", "compress", "log", "upstream"] as const)
        if (route[key] !== undefined) refuse(key, "no passthrough beside it: the edge sees nothing but the host");
    if (route.tls?.mode === "passthrough" && route.host === "*") refuse("host", "a name, because passthrough chooses by it");
    for (const key of ["protocol", "proxy_protocol"] as const) if (!isPort && route[key] !== undefined) refuse(key, "a port beside it");
    if (route.protocol === "udp" && route.proxy_protocol?.from === true)
      refuse("proxy_protocol", "tcp with `from`: datagrams have no beginning of their connection");
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
    place: notYet("placement over clusters"),
  })
  .superRefine((app, context) => {
    const shorts = (["run", "instances", "port", "resources", "ready", "alive"] as const).filter((key) => app[key] !== undefined);
    const web = app.processes?.["web" as z.infer<typeof processName>];
    for (const key of shorts) {
      if (web !== undefined) context.addIssue({ code: "custom", path: [key], message: `either ${key} or processes.web, not both` });
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

export const spaceManifest = z.strictObject({
  space: spaceName.meta({ description: "The space's name." }),
  domain: hostName
    .optional()
    .meta({ description: "Apps are routed at `<app>.<domain>`. Default `<space>.localhost`, which every machine resolves to itself." }),
  env: environmentManifest.default({}).meta({ description: "Environment of every app in the space." }),
  quota: notYet("quotas"),
});

function unique(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}

/** The key that names a document says its kind. The kinds without a schema are known, and not yet supported. */
export const documentKinds = {
  space: spaceManifest,
  app: appManifest,
  ladder: ladderManifest,
  cluster: null,
  pool: null,
  policy: null,
  job: null,
} as const;

export type DocumentKind = keyof typeof documentKinds;
export type AppManifest = z.output<typeof appManifest>;
export type ProcessManifest = z.output<typeof processManifest>;
export type RouteManifest = z.output<typeof routeManifest>;
export type DeployManifest = z.output<typeof deployManifest>;
export type SpaceManifest = z.output<typeof spaceManifest>;
