import { toErrorBody } from "#model/errors.ts";
import type { ProgramsOrder, ProgramsProgress } from "#model/programs.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import type { PartStore } from "./part-store.ts";

/**
 * Brings a machine what it lacks of a version, and has it go over to that, on trial.
 * @returns what is done; the last is `started`, or `failed` with CONFLICT if a part is not here, and with STORAGE_FULL, UNHEALTHY and the like of the machine
 */
export async function* upgradeMachine(
  agent: AgentPeer,
  order: ProgramsOrder,
  parts: PartStore,
  signal: AbortSignal,
): AsyncGenerator<ProgramsProgress, void, void> {
  try {
    const there = new Set((await agent.programs(signal)).parts);
    const missing = order.parts.filter((part) => !there.has(part));
    for (const [index, digest] of missing.entries()) {
      yield { kind: "copying", part: index + 1, of: missing.length };
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
