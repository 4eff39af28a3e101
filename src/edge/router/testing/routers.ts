import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { defaultLimits, type Limits } from "../embedded/limits.ts";
import { startEdge } from "../embedded/testing/edge.ts";
import { type Binary, findHaproxy } from "../haproxy/binary.ts";
import { HaproxyRouter } from "../haproxy/haproxy-router.ts";
import type { TimeLimits } from "../haproxy/time-limits.ts";
import type { Router } from "../router.ts";

export interface OpenRouter extends Router {
  readonly port: number;
  /** 0 without one. */
  readonly tlsPort: number;
  open(host: string, port: number): Promise<void>;
}

export interface RouterOptions {
  readonly connectionsPerClient?: number;
  /** Time limits other than those of production. */
  readonly limits?: Partial<Limits>;
  /** With a TLS port, on which nothing is served before it has certificates. */
  readonly tls?: boolean;
}

/** Which router the contract runs against. */
export interface RouterKind {
  readonly name: "embedded" | "haproxy";
  start(t: Pick<TestContext, "after">, options?: RouterOptions): Promise<OpenRouter>;
}

export const embedded: RouterKind = {
  name: "embedded",
  start: async (t, { connectionsPerClient, limits, tls = false } = {}) => {
    const edge = await startEdge(t, {
      ...limits,
      ...(connectionsPerClient === undefined ? {} : { clientsPerAddress: connectionsPerClient }),
    });
    if (tls) await edge.openTls("127.0.0.1", 0);
    return edge;
  },
};
export const haproxy: RouterKind = { name: "haproxy", start: (t, options) => startHaproxy(t, options) };

export async function startHaproxy(
  t: Pick<TestContext, "after">,
  { tls = false, connectionsPerClient, limits }: RouterOptions = {},
): Promise<HaproxyRouter> {
  const folder = await mkdtemp(join(tmpdir(), "drover-haproxy-"));
  const router = new HaproxyRouter({
    ...(await parts()),
    folder,
    connections: 1_000,
    connectionsPerClient: connectionsPerClient ?? null,
    ...(limits === undefined ? {} : { timeLimits: timeLimitsOf({ ...defaultLimits, ...limits }) }),
  });
  t.after(async () => {
    await router.close(0);
    await rm(folder, { recursive: true, force: true });
  });
  if (tls) router.useTls("127.0.0.1", 0);
  await router.open("127.0.0.1", 0);
  return router;
}

/** What HAProxy has one limit for takes the shortest of those that it stands for. */
function timeLimitsOf({ headMs, handshakeMs, clientIdleMs, bodyIdleMs, answerMs, answerIdleMs, tunnelIdleMs }: Limits): TimeLimits {
  const clientSilenceMs = Math.min(handshakeMs, bodyIdleMs, answerIdleMs);
  return { headMs, clientIdleMs, clientSilenceMs, answerMs: Math.min(answerMs, answerIdleMs), tunnelIdleMs };
}

/** What a router needs besides its folder. */
export async function parts(): Promise<{
  readonly clock: typeof systemClock;
  readonly log: ReturnType<typeof createLog>;
  readonly binary: Binary;
}> {
  const isLoud = process.env["DROVER_TEST_LOG"] !== undefined;
  const log = createLog({ print: (line) => void (isLoud && process.stderr.write(line)), nowMs: () => 0 });
  return { clock: systemClock, log, binary: await findHaproxy(process.env["PATH"] ?? "") };
}

/** Why the contract cannot run against HAProxy here; false if it can. */
export async function haproxyMissing(): Promise<string | false> {
  try {
    await parts();
    return false;
  } catch (error) {
    return `nothing was tested of the router HAProxy: ${error instanceof Error ? error.message : String(error)}`;
  }
}
