import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Address, formatAddress } from "#host/address.ts";
import type { Home } from "#host/home.ts";
import type { WorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";
import type { AgentOptions } from "./options.ts";

export const serverWorkload = "drover/server/main/0" as WorkloadId;
export const edgeWorkload = "drover/edge/main/0" as WorkloadId;

interface OwnProgramsOptions {
  readonly root: string;
  readonly home: Home;
  /** Those of the agent, which it hands on. */
  readonly given: AgentOptions;
  /** Whether the server is another machine's, so that none is started here. */
  readonly isMember: boolean;
  /** Whether its edge takes what comes from outside, as far as is known before it runs. */
  readonly isEdge: boolean;
  /** Of the programs: others of it that still run are replaced. */
  readonly version: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Drover's own programs as workloads, supervised like any other. */
export function ownPrograms({ root, home, given, isMember, isEdge, version, env }: OwnProgramsOptions): readonly Workload[] {
  const {
    api,
    http,
    https,
    trustedProxies,
    connectionsPerClient,
    router,
    dns,
    link,
    encrypt,
    edges,
    lostAfterMs,
    hosts,
    allowOutgoing,
    publicUrl,
    metricsFrom,
  } = given;
  const dnsAt = dns === null ? [] : ["--dns", formatAddress(dns.address)];
  const drover = join(root, "bin", "drover");
  // Where compiled code is kept and how memory is given out belong to the version, and do not change what a program does.
  const { NODE_COMPILE_CACHE: _, MALLOC_ARENA_MAX: __, ...settings } = env;
  const fingerprint = (...parts: readonly unknown[]) => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  const program = (id: WorkloadId, argv: readonly string[], { port }: Address): Workload => ({
    id,
    revision: 0,
    kind: "service",
    count: 1,
    command: { argv: [drover, ...argv] },
    artifact: null,
    env,
    secrets: {},
    port,
    ready: { target: { kind: "tcp" }, everyMs: 5_000, timeoutMs: 2_000, failures: 3 },
    alive: null,
    resources: { cpu: null, memoryBytes: null, pids: 4_096 },
    stop: { signal: "SIGTERM", drainMs: 0, graceMs: 5_000 },
    routed: false,
    volumes: [],
    // What only a restart can change, and what a program that lives can be replaced for.
    restartToken: `${fingerprint(argv, settings)}.${fingerprint(version, drover)}`,
    timeoutMs: null,
  });
  const edgeArguments = [
    "edge",
    "--home",
    home.root,
    "--http",
    formatAddress(http),
    "--https",
    formatAddress(https),
    "--router",
    router,
    ...dnsAt,
    ...(dns?.more ?? []),
    ...trustedProxies.flatMap((one) => ["--trusted-proxy", one]),
    ...(connectionsPerClient === null ? [] : ["--connections-per-client", String(connectionsPerClient)]),
    ...allowOutgoing.flatMap((network) => ["--allow-outgoing", network]),
  ];
  const plainEdge = program(edgeWorkload, edgeArguments, http);
  const heldEdge: Workload = {
    ...plainEdge,
    command: { argv: ["/bin/sh", join(root, "src", "edge", "holder.sh"), drover, ...edgeArguments] },
    own: {
      sockets: [
        // One that takes nothing from outside leaves the ports to others.
        ...(isEdge
          ? [
              { name: "http", ...http },
              { name: "https", ...https, isOptional: true },
            ]
          : []),
        ...(dns === null ? [] : [{ name: "dns", ...dns.address, isOptional: true }]),
      ],
      program: drover,
    },
  };
  // HAProxy opens its addresses itself.
  const edge = router === "haproxy" ? plainEdge : heldEdge;
  if (isMember) return [edge];
  return [
    program(
      serverWorkload,
      [
        "server",
        "--home",
        home.root,
        "--api",
        formatAddress(api),
        "--edge",
        formatAddress(http),
        "--edge-tls",
        formatAddress(https),
        ...dnsAt,
        ...(link === null ? [] : ["--link", formatAddress(link)]),
        ...(encrypt ? ["--encrypt"] : []),
        ...edges.flatMap((label) => ["--edges", label]),
        ...(lostAfterMs === null ? [] : ["--lost-after", `${lostAfterMs}ms`]),
        ...hosts.flatMap((host) => ["--host", host]),
        ...allowOutgoing.flatMap((network) => ["--allow-outgoing", network]),
        ...(publicUrl === null ? [] : ["--public-url", publicUrl]),
        ...(metricsFrom === null ? [] : ["--metrics-from", metricsFrom]),
      ],
      api,
    ),
    edge,
  ];
}
