import { errorFields } from "#host/log.ts";
import { DroverError, toErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { leastNearBytes, type Neighbour, type ProgramsOrder, type ProgramsProgress } from "#model/programs.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import type { PartStore } from "./part-store.ts";

/**
 * Brings a machine what it lacks of a version, large parts from another machine of the same site where one has them, and has it go over to that, on trial.
 * @param neighbour finds a machine that has some of these parts
 * @returns what is done; the last is `started`, or `failed` with CONFLICT if a part is not here, and with STORAGE_FULL, UNHEALTHY and the like of the machine
 */
export async function* upgradeMachine(
  agent: AgentPeer,
  order: ProgramsOrder,
  parts: PartStore,
  log: Log,
  neighbour: (parts: readonly string[]) => Promise<Neighbour | null>,
  signal: AbortSignal,
): AsyncGenerator<ProgramsProgress, void, void> {
  try {
    const there = new Set((await agent.programs(signal)).parts);
    const missing = order.parts.filter((part) => !there.has(part));
    const sizes = new Map(missing.map((digest) => [digest, parts.sizeOf(digest)]));
    const large = missing.filter((digest) => (sizes.get(digest) ?? 0) >= leastNearBytes);
    const near = large.length === 0 ? null : await neighbour(large);
    for (const [index, digest] of missing.entries()) {
      yield { kind: "copying", part: index + 1, of: missing.length };
      if (near?.parts.includes(digest) === true && (await fetchedNear(agent, digest, sizes.get(digest) ?? 0, near, log, signal))) continue;
      await agent.putProgramsPart(digest, await parts.read(digest), signal);
    }
    yield { kind: "starting" };
    await agent.startPrograms(order, signal);
    yield { kind: "started" };
  } catch (error) {
    signal.throwIfAborted();
    yield { kind: "failed", error: toErrorBody(error) };
  }
}

/** False where the neighbour did not give it, for whatever reason: then it comes from here. */
async function fetchedNear(
  agent: AgentPeer,
  digest: string,
  sizeBytes: number,
  near: Neighbour,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await agent.fetchPart(digest, sizeBytes, near, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DroverError)) throw error;
    log.warn("a neighbour did not give a part of Drover", { machine: agent.machine, neighbour: near.machine, ...errorFields(error) });
    return false;
  }
}
