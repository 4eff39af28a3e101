import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { startEdge } from "../embedded/testing/edge.ts";
import { type Binary, findHaproxy } from "../haproxy/binary.ts";
import { HaproxyRouter } from "../haproxy/haproxy-router.ts";
import type { Router } from "../router.ts";

export interface OpenRouter extends Router {
  readonly port: number;
}

/** Which router the contract runs against. */
export interface RouterKind {
  readonly name: "embedded" | "haproxy";
  start(t: Pick<TestContext, "after">, options?: { readonly connectionsPerClient?: number }): Promise<OpenRouter>;
}

export const embedded: RouterKind = {
  name: "embedded",
  start: (t, { connectionsPerClient } = {}) =>
    startEdge(t, connectionsPerClient === undefined ? {} : { clientsPerAddress: connectionsPerClient }),
};
export const haproxy: RouterKind = { name: "haproxy", start: (t, options) => startHaproxy(t, options) };

export async function startHaproxy(
  t: Pick<TestContext, "after">,
  { tls = false, connectionsPerClient }: { readonly tls?: boolean; readonly connectionsPerClient?: number } = {},
): Promise<HaproxyRouter> {
  const folder = await mkdtemp(join(tmpdir(), "drover-haproxy-"));
  const router = new HaproxyRouter({ ...(await parts()), folder, connections: 1_000, connectionsPerClient: connectionsPerClient ?? null });
  t.after(async () => {
    await router.close(0);
    await rm(folder, { recursive: true, force: true });
  });
  if (tls) router.useTls("127.0.0.1", 0);
  await router.open("127.0.0.1", 0);
  return router;
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
