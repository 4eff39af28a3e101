import { z } from "zod";
import { DroverError } from "./errors.ts";
import { longestQuery, parseLogQuery } from "./log-query.ts";
import { appName, spaceName, variablePattern } from "./name-schemas.ts";
import { namePattern } from "./names.ts";
import { unique } from "./schema-parts.ts";

/** Where a space's logs are sent as a manifest writes it. Apart from the types, because only the server reads manifests. */

/** Each is a receiver that every machine's lines are sent to; more of them is a mistake. */
const mostDestinations = 10;

const receiverUrl = z
  .url({ protocol: /^https?$/, error: "an address that begins with https:// or http://", abort: true })
  .max(2_048)
  .refine((text) => URL.parse(text)?.username === "" && URL.parse(text)?.password === "", "an address without a password in it");

/** People write the value itself here. */
const secretName = z.string().regex(variablePattern, "the name of a secret of the space, such as LAKE_KEY, and not its value");

const hostAndPort = z
  .string()
  .regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/, {
    error: "a host and a port, such as logs.example.com:6514",
    abort: true,
  })
  .refine((text) => {
    const port = Number(text.slice(text.lastIndexOf(":") + 1));
    return port >= 1 && port <= 65_535;
  }, "a port from 1 to 65535");

/** They say where a request ends and what it is, which is the sender's to say. */
const ownHeaders = /^(host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-(length|type|encoding))$/i;

const isQuery = (text: string) => {
  try {
    parseLogQuery(text);
    return true;
  } catch (error) {
    if (error instanceof DroverError) return false;
    throw error;
  }
};

export const receivers = ["syslog", "otlp", "elasticsearch", "http"] as const;

export const destinationManifest = z
  .strictObject({
    syslog: hostAndPort.optional().meta({ description: "A receiver of syslog messages (RFC 5424) over TLS, as `host:port`." }),
    otlp: receiverUrl.optional().meta({
      description: "A receiver of OTLP over HTTP. An address without a path gets the protocol's own, /v1/logs.",
    }),
    elasticsearch: receiverUrl.optional().meta({ description: "Elasticsearch, or what takes its `_bulk` requests." }),
    http: receiverUrl.optional().meta({ description: "Whatever takes a POST of JSON lines." }),
    stream: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,199}$/, "a data stream: 1 to 200 of a-z, 0-9, ., _ and -")
      .optional()
      .meta({ description: "With elasticsearch: the data stream or index. Default `logs-drover-<space>`." }),
    tls: z.literal("off").optional().meta({ description: "With syslog: `off` sends over plain TCP." }),
    ca: z
      .string()
      .max(65_536)
      .regex(/-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/, "the PEM text itself, with its line BEGIN CERTIFICATE")
      .optional()
      .meta({ description: "Trusted in place of the machine's authorities, PEM." }),
    headers: z
      .record(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "the name of a header"), secretName)
      .refine((headers) => Object.keys(headers).length <= 10, "at most 10 headers")
      .refine(
        (headers) => !Object.keys(headers).some((name) => ownHeaders.test(name)),
        "none of those that Drover sends itself, such as Host",
      )
      .optional()
      .meta({ description: "Headers of each request, by name: the names of the space's secrets that are their values." }),
    user: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^:]+$/, "a name without a colon")
      .optional(),
    password: secretName.optional().meta({ description: "Name of the space's secret that is the user's password." }),
    apps: z
      .array(appName)
      .min(1)
      .max(100)
      .refine(unique, "each app once")
      .optional()
      .meta({ description: "Only these apps'. Left out: all of the space." }),
    search: z
      .string()
      .min(1)
      .max(longestQuery)
      .refine(isQuery, "a search as `drover logs --search` takes it, such as `level>=warn -healthz`")
      .optional()
      .meta({ description: "Only events that match, such as `level>=warn -healthz`." }),
    from: z
      .strictObject({
        spaces: z
          .union([z.literal("all"), z.array(spaceName).max(100).refine(unique, "each space once")], "all, or a list of spaces")
          .optional()
          .meta({ description: "`all`, or which ones, besides this one." }),
        own: z.boolean().default(false).meta({ description: "What Drover's own programs say." }),
      })
      .optional()
      .meta({ description: "What is sent besides this space's; takes the right to operate." }),
  })
  .superRefine((destination, context) => {
    const problem = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    const [kind, another] = receivers.filter((one) => destination[one] !== undefined);
    if (kind === undefined || another !== undefined) {
      context.addIssue({ code: "custom", path: [], message: "exactly one of syslog, otlp, elasticsearch and http" });
      return;
    }
    const { stream, tls, headers, user, password, ca, from, apps } = destination;
    if (stream !== undefined && kind !== "elasticsearch") problem("stream", "elasticsearch beside it");
    if (tls !== undefined && kind !== "syslog") problem("tls", "syslog beside it; of others the address says it");
    if (kind === "syslog" && headers !== undefined) problem("headers", "none: syslog has no headers");
    if (kind === "syslog" && user !== undefined) problem("user", "none: syslog knows no users");
    if ((user === undefined) !== (password === undefined))
      problem(user === undefined ? "password" : "user", "user and password, or neither");
    if (apps !== undefined && from?.spaces !== undefined) problem("apps", "none beside `from.spaces`: apps are those of this space");
    const isPlain = kind === "syslog" ? tls === "off" : destination[kind]?.startsWith("http:") === true;
    if (isPlain && (user !== undefined || Object.keys(headers ?? {}).length > 0))
      problem(kind, "TLS beside `headers` or `password`: a secret is not sent in the clear");
    if (isPlain && ca !== undefined) problem("ca", "TLS beside it");
  });
export type DestinationManifest = z.output<typeof destinationManifest>;

export const shipManifest = z
  .record(z.string().regex(namePattern, "a destination's name: 1 to 40 of a-z, 0-9 and -"), destinationManifest)
  .refine((destinations) => Object.keys(destinations).length <= mostDestinations, `at most ${mostDestinations} destinations`);
