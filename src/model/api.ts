import { z } from "zod";
import { machine } from "./api-machines.ts";
import { appName, digest, processName, spaceName, variableName } from "./name-schemas.ts";
import { spaceLogsManifest } from "./space-logs-schemas.ts";

/**
 * The bodies of the HTTP API under `/v1`. The server validates with them, OpenAPI is generated from them, and the CLI takes its types from them.
 * Objects in answers only ever grow keys; requests refuse keys that they do not know.
 */

export const errorBody = z.object({ code: z.string(), message: z.string(), hint: z.string(), details: z.unknown() }).meta({ id: "Error" });

export const version = z
  .object({ version: z.string(), node: z.string(), api: z.literal("v1"), revision: z.int(), installation: z.string() })
  .meta({ id: "Version" });

/** One place in a manifest that is wrong. */
export const manifestProblem = z
  .object({
    file: z.string(),
    line: z.int(),
    column: z.int(),
    path: z.string().meta({ description: "Keys from the top of the document, joined by dots." }),
    found: z.string(),
    wanted: z.string(),
    kind: z
      .enum(["invalid", "not-yet", "variable"])
      .meta({ description: "not-yet: a key of a later version; `wanted` says what takes its place. variable: a ${NAME} without a value." }),
    nearest: z.string().nullable().meta({ description: "The known key that looks most like an unknown one." }),
  })
  .meta({ id: "ManifestProblem" });

export const documentFile = z.strictObject({ file: z.string().max(4096), text: z.string() });

export const applyRequest = z
  .strictObject({
    documents: z
      .array(documentFile)
      .min(1)
      .max(1_000)
      .meta({ description: "Manifests as text, so that errors can name file, line and column." }),
    space: spaceName.optional().meta({ description: "Space of the apps when no document declares one. Default `default`." }),
    variables: z.record(variableName, z.string()).default({}).meta({ description: "Values of ${NAME} in the manifests." }),
    artifacts: z
      .record(appName, digest)
      .default({})
      .meta({ description: "App → artifact built from its source. An app with a source and no entry keeps its artifact." }),
    prune: z.boolean().default(false).meta({ description: "Destroy apps of the space that no document declares." }),
    force: z.boolean().default(false).meta({ description: "Make a new release even where nothing changed." }),
    cause: z.enum(["apply", "push"]).default("apply"),
  })
  .meta({ id: "ApplyRequest" });

export const plannedChange = z
  .object({
    kind: z.enum(["space", "app", "ladder", "pool"]),
    space: z.string(),
    name: z.string(),
    action: z
      .enum(["create", "update", "release", "destroy", "none"])
      .meta({ description: "release: needs new instances; update: does not." }),
    changes: z.array(z.object({ path: z.string(), from: z.unknown(), to: z.unknown() })),
    source: z.string().nullable().meta({ description: "Folder to build, relative to the file of the document; null if there is none." }),
    build: z
      .object({ run: z.string().nullable(), timeoutMs: z.int(), memoryBytes: z.int(), hasRun: z.boolean() })
      .nullable()
      .meta({ description: "How to build it. hasRun: the manifest itself says what every process runs." }),
    file: z.string(),
    warnings: z.array(z.string()),
  })
  .meta({ id: "PlannedChange" });

export const plan = z.object({ space: z.string(), changes: z.array(plannedChange), revision: z.int() }).meta({ id: "Plan" });

export const applied = z
  .object({
    plan,
    /** Apps whose target release changed, or that were created. */
    releases: z.array(z.object({ space: z.string(), app: z.string(), release: z.int() })),
    revision: z.int(),
  })
  .meta({ id: "Applied" });

export const space = z
  .object({
    name: z.string(),
    domain: z.string(),
    env: z.record(z.string(), z.string()),
    logs: spaceLogsManifest.optional(),
    createdAtMs: z.number(),
    apps: z.int(),
    revision: z.int(),
  })
  .meta({ id: "Space" });

export const reason = z.object({ code: z.string(), message: z.string() }).meta({ id: "Reason" });

/** One of the catalogue: what the `code` of a reason means. */
export const condition = z
  .object({
    code: z.string(),
    severity: z.enum(["error", "warning", "info"]).meta({
      description: "error: something that should work does not; warning: it may become that; info: on its way, or as somebody asked.",
    }),
    of: z.enum(["app", "instance", "machine", "check", "edge", "certificate", "server", "store"]),
    cause: z.string(),
    remedy: z.string(),
  })
  .meta({ id: "Condition" });

export const instance = z
  .object({
    id: z.string(),
    space: z.string(),
    app: z.string(),
    process: z.string(),
    release: z.int(),
    machine: z.string(),
    state: z.enum(["starting", "running", "draining", "stopping", "backoff", "exited"]),
    ready: z.boolean(),
    host: z.string(),
    port: z.int().nullable(),
    pid: z.int().nullable(),
    restarts: z.int(),
    startedAtMs: z.number().nullable(),
    sinceMs: z.number(),
    exit: z.object({ code: z.int().nullable(), signal: z.string().nullable(), outOfMemory: z.boolean(), atMs: z.number() }).nullable(),
    reason: reason.nullable(),
  })
  .meta({ id: "Instance" });

export const releaseFailure = z
  .object({ code: z.enum(["RELEASE_FAILED", "CANNOT_PLACE"]), reason: z.string(), lines: z.array(z.string()), atMs: z.number() })
  .meta({ id: "ReleaseFailure" });

export const release = z
  .object({
    number: z.int(),
    state: z.enum(["pending", "active", "superseded", "failed"]),
    cause: z.string(),
    createdAtMs: z.number(),
    artifact: z.string().nullable(),
    failure: releaseFailure.nullable(),
    processes: z.record(z.string(), z.string()).meta({ description: "Process → command line." }),
    env: z.record(z.string(), z.string()),
    secrets: z.array(z.string()),
  })
  .meta({ id: "Release" });

export const processStatus = z
  .object({
    name: z.string(),
    run: z.string(),
    wanted: z.int(),
    running: z.int(),
    ready: z.int(),
    bounds: z
      .object({ min: z.int(), max: z.int() })
      .nullable()
      .meta({ description: "Between which its count follows its load, by the rules of its manifest; null where people set it." }),
    protocol: z.enum(["http", "tcp"]),
    servicePort: z
      .int()
      .nullable()
      .meta({ description: "The stable loopback port that `needs` hands out; null while it is not open, because no app needs it." }),
  })
  .meta({ id: "ProcessStatus" });

export const rolloutStatus = z
  .object({
    release: z.int(),
    startedAtMs: z.number(),
    weight: z.number().meta({ description: "Share of traffic of the new release, 0 to 1." }),
    waitingFor: z.array(z.string()).meta({ description: "In words." }),
  })
  .meta({ id: "RolloutStatus" });

/** Everything about one app now. */
export const appStatus = z
  .object({
    name: z.string(),
    space: z.string(),
    health: z.enum(["ready", "deploying", "starting", "degraded", "down", "stopped", "destroying"]).meta({
      description:
        "ready: all wanted instances are; deploying: a release is on its way; starting: instances that were asked for (a start, a restart, more of them) are on their way and nothing has failed; degraded: at least one instance of each process is ready; down: some process has none.",
    }),
    target: z.int().nullable(),
    active: z.int().nullable(),
    stopped: z.boolean(),
    urls: z.array(z.string()),
    processes: z.array(processStatus),
    instances: z.array(instance),
    rollout: rolloutStatus.nullable(),
    lastFailure: z.object({ release: z.int(), failure: releaseFailure }).nullable(),
    reasons: z.array(reason).meta({ description: "Why it is not ready, in words; empty when it is." }),
    known: z.boolean().meta({
      description:
        "Whether all machines have told what they run since the server's start, but for those that are lost. Until then it may have more instances than are said here.",
    }),
    createdAtMs: z.number(),
    revision: z.int().meta({ description: "For If-Match." }),
  })
  .meta({ id: "AppStatus" });

export const appSummary = appStatus
  .omit({ instances: true, processes: true })
  .extend({ wanted: z.int(), running: z.int(), ready: z.int() })
  .meta({ id: "AppSummary" });

/** Of a watch of all apps: first every app, then what changed together. */
export const appsChange = z
  .object({ apps: z.array(appSummary), gone: z.array(z.object({ space: z.string(), app: z.string() })) })
  .meta({ id: "AppsChange" });

export const event = z
  .object({
    sequence: z.int(),
    atMs: z.number(),
    space: z.string().nullable(),
    app: z.string().nullable(),
    subject: z.string().nullable(),
    kind: z.string(),
    message: z.string(),
    details: z.unknown(),
    by: z
      .string()
      .nullable()
      .meta({ description: "The name of the token of whoever asked for it; null: nobody, it happened or Drover did it by itself." }),
  })
  .meta({ id: "Event" });

export const logLine = z
  .object({ instance: z.string(), atMs: z.number(), sequence: z.int(), text: z.string(), source: z.enum(["app", "drover"]) })
  .meta({ id: "LogLine" });

export const certificate = z
  .object({
    id: z.string().meta({ description: "`own/`, `acme/` or `file/`, and its host or name." }),
    origin: z.enum(["own", "acme", "file"]),
    hosts: z.array(z.string()),
    serves: z.array(z.string()).meta({ description: "Routed hosts that it is shown for." }),
    issuer: z.string(),
    fingerprint: z.string().meta({ description: "SHA-256 of the certificate." }),
    notBeforeMs: z.number(),
    notAfterMs: z.number(),
    failure: z.string().nullable().meta({ description: "Why its renewal failed last; null if it did not." }),
  })
  .meta({ id: "Certificate" });

export const certificateUpload = z.strictObject({
  chain: z.string().max(262_144).meta({ description: "PEM: the certificate, then those of its chain." }),
  key: z.string().max(65_536).meta({ description: "PEM, without a passphrase." }),
});

export const acmeRequest = z.strictObject({
  directory: z
    .url({ protocol: /^https$/ })
    .max(2_048)
    .meta({ description: "URL of the authority's directory." }),
  email: z.email().nullable().default(null),
  challenge: z.enum(["http-01", "tls-alpn-01", "dns-01"]).default("http-01"),
  caPem: z.string().max(262_144).nullable().default(null).meta({
    description: "For an authority inside: what its own API is trusted by. Names that the public does not reach are ordered too.",
  }),
});

export const acme = acmeRequest.omit({ caPem: true }).extend({ isPrivate: z.boolean() }).meta({ id: "Acme" });

export const secret = z
  .object({
    name: z.string(),
    version: z.int(),
    updatedAtMs: z.number(),
    usedBy: z.array(z.string()).meta({ description: "Who fails without it: apps by name, `pool/NAME`, and `ladder/NAME` for its e-mail." }),
    signs: z.array(z.string()).meta({ description: "Ladders whose webhooks it signs; without it they are sent unsigned." }),
  })
  .meta({ id: "Secret" });
export const secretValue = z.strictObject({ value: z.string().max(65_536) });

export const scaleRequest = z.strictObject({ instances: z.record(processName, z.int().min(0).max(10_000)) });
export const environmentRequest = z.strictObject({
  set: z.record(variableName, z.string().max(65_536)).default({}),
  unset: z.array(variableName).default([]),
});
export const rollbackRequest = z.strictObject({ to: z.int().positive().optional() });
export const restartRequest = z.strictObject({ process: processName.optional() });
export const maintenanceRequest = z.strictObject({
  on: z.boolean().meta({ description: "Whether a page stands in for the app." }),
  message: z.string().min(1).max(500).default("Down for maintenance").meta({ description: "What the page says: a sentence." }),
  retryAfterMs: z
    .int()
    .min(1_000)
    .max(7 * 86_400_000)
    .default(120_000)
    .meta({ description: "When clients are told to come back." }),
});
export const changed = z
  .object({
    space: z.string(),
    app: z.string(),
    release: z.int().nullable(),
    changed: z.boolean().meta({ description: "False: all was as asked for already, and nothing was written." }),
    revision: z.int(),
  })
  .meta({ id: "Changed" });

/** Answer to a request for a command inside; the session itself is a WebSocket at `/v1/exec/<ticket>`, open for 30 s and once. */
export const execRequest = z.strictObject({
  command: z.array(z.string().max(65_536)).max(1_000).default([]),
  terminal: z
    .strictObject({ columns: z.int().min(1).max(10_000), rows: z.int().min(1).max(10_000) })
    .nullable()
    .default(null),
  instance: z.string().max(200).optional().meta({ description: "A running instance; left out, the first ready one of `process`." }),
  process: processName.optional(),
  fresh: z
    .boolean()
    .default(false)
    .meta({ description: "In fresh surroundings of the active release, not in a running instance (`drover run`)." }),
});
export const execTicket = z.object({ ticket: z.string(), instance: z.string().nullable() }).meta({ id: "ExecTicket" });

/** The whole in one answer: what `drover status` shows. */
export const status = z
  .object({
    version,
    startedAtMs: z.number(),
    spaces: z.array(space),
    apps: z.record(z.string(), z.int()).meta({ description: "Number of apps by health." }),
    machines: z.array(machine),
    edges: z.array(z.object({ machine: z.string(), linked: z.boolean(), revision: z.int().nullable(), public: z.boolean().nullable() })),
    addresses: z.object({
      api: z.string(),
      edge: z.string(),
      edgeTls: z.string(),
      dns: z.string().nullable().meta({ description: "Where the edge answers DNS for `drover` names; null if it does not." }),
    }),
    problems: z.array(reason),
  })
  .meta({ id: "Status" });

export type ManifestProblem = z.output<typeof manifestProblem>;
export type ApplyRequest = z.output<typeof applyRequest>;
export type PlannedChange = z.output<typeof plannedChange>;
export type Plan = z.output<typeof plan>;
export type Applied = z.output<typeof applied>;
export type SpaceView = z.output<typeof space>;
export type InstanceView = z.output<typeof instance>;
export type ReleaseView = z.output<typeof release>;
export type ProcessStatus = z.output<typeof processStatus>;
export type AppStatus = z.output<typeof appStatus>;
export type AppSummary = z.output<typeof appSummary>;
export type EventView = z.output<typeof event>;
export type SecretView = z.output<typeof secret>;
export type CertificateView = z.output<typeof certificate>;
export type AcmeRequest = z.output<typeof acmeRequest>;
export type AcmeView = z.output<typeof acme>;
export type StatusView = z.output<typeof status>;
export type Version = z.output<typeof version>;
export type Changed = z.output<typeof changed>;
export type AppsChange = z.output<typeof appsChange>;
export type ExecTicket = z.output<typeof execTicket>;
