import type { InstanceId } from "#model/names.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";
import type { AgentPeer } from "../fleet/peers.ts";

/** Lines that wait for their reader, from each machine: as many as one answer may have. */
const mostWaiting = 10_000;

type LogSource = Pick<AgentPeer, "logs">;

/**
 * Lines of several machines as of one: what there is in the order of its time, the latest `tail` of all, and then what comes, as it comes. A machine
 * that goes away meanwhile ends the answer with its error, so that nobody takes half of it for the whole.
 */
export async function* mergedLogs(agents: readonly LogSource[], query: LogQuery, parent: AbortSignal): AsyncGenerator<LogLine, void, void> {
  const [only] = agents;
  if (agents.length === 1 && only !== undefined) {
    yield* only.logs(query, parent);
    return;
  }
  const ended = new AbortController();
  const signal = AbortSignal.any([parent, ended.signal]);
  try {
    const past = (await Promise.all(agents.map((agent) => collect(agent, { ...query, follow: false }, signal)))).flat();
    past.sort((a, b) => a.atMs - b.atMs || (a.instance === b.instance ? a.sequence - b.sequence : 0));
    const told = new Map<InstanceId, number>();
    for (const line of past) told.set(line.instance, Math.max(told.get(line.instance) ?? 0, line.sequence));
    yield* past.slice(-query.tail);
    if (query.follow) yield* follow(agents, query, told, signal);
  } finally {
    ended.abort();
  }
}

async function collect(agent: LogSource, query: LogQuery, signal: AbortSignal): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of agent.logs(query, signal)) lines.push(line);
  return lines;
}

/** What was told already is asked for once more, since lines may have come in between, and left out by its number. */
async function* follow(
  agents: readonly LogSource[],
  query: LogQuery,
  told: ReadonlyMap<InstanceId, number>,
  signal: AbortSignal,
): AsyncGenerator<LogLine, void, void> {
  const waiting: LogLine[] = [];
  const state: { wake: (() => void) | null; error: unknown; open: number } = { wake: null, error: null, open: agents.length };
  const read = async (agent: LogSource) => {
    try {
      for await (const line of agent.logs(query, signal)) {
        if (line.sequence <= (told.get(line.instance) ?? 0)) continue;
        if (waiting.length >= mostWaiting) throw new RangeError(`${mostWaiting} lines wait for a reader that does not take them`);
        waiting.push(line);
        state.wake?.();
      }
    } catch (error) {
      state.error ??= error;
    } finally {
      state.open--;
      state.wake?.();
    }
  };
  const reading = agents.map(read);
  for (;;) {
    for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) yield line;
    if (state.error !== null) throw state.error;
    if (state.open === 0) break;
    await new Promise<void>((resolve) => (state.wake = resolve));
    state.wake = null;
  }
  await Promise.all(reading);
}
