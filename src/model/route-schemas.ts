import { z } from "zod";
import { processName } from "./name-schemas.ts";
import { parseRate } from "./quantities.ts";
import { duration, share, size } from "./quantity-schemas.ts";
import { hostName, httpPath, notYet, port, unique } from "./schema-parts.ts";

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
  body_rate: size.optional().meta({
    description:
      "The least that the body of a request may come at, in a second, beyond what `idle` allows; slower is 408. Default 240B, 0B for none: bodies that are written while they are sent.",
  }),
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
      name: hostName.optional().meta({ description: "The name that its certificate has to be for. Default the route's host." }),
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
    for (const key of ["body", "body_rate", "head", "request", "answer", "rate", "rate_per_client"] as const)
      if (isPort && route.limits?.[key] !== undefined)
        context.addIssue({ code: "custom", path: ["limits", key], message: "no port beside it: this is for HTTP" });
    if (route.tls?.mode === "passthrough")
      for (const key of ["path", "headers", "methods", "sticky", "redirect", "compress", "log", "upstream"] as const)
        if (route[key] !== undefined) refuse(key, "no passthrough beside it: the edge sees nothing but the host");
    const isWild = route.host?.startsWith("*") === true;
    if (isWild && route.upstream?.protocol === "https" && route.upstream.verify && route.upstream.name === undefined)
      refuse("upstream", "`name` in it, because no certificate is for every host");
    if (route.tls?.mode === "passthrough" && route.host === "*") refuse("host", "a name, because passthrough chooses by it");
    for (const key of ["protocol", "proxy_protocol"] as const) if (!isPort && route[key] !== undefined) refuse(key, "a port beside it");
    if (route.protocol === "udp" && route.proxy_protocol?.from === true)
      refuse("proxy_protocol", "tcp with `from`: datagrams have no beginning of their connection");
  });

export type RouteManifest = z.output<typeof routeManifest>;
