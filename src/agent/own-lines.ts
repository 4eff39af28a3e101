import { fieldsOf, statedTimeOf } from "#model/log-fields.ts";
import type { InstanceId } from "#model/names.ts";
import type { AgentLog } from "./agent-log.ts";
import type { LogStore } from "./logs/log-store.ts";

/** The agent is no workload; beside its edge and its server it has a name as if it were one. */
const agentInstance = "drover/agent/main.0.agent" as InstanceId;
/** What it can have said between the last line that was kept and now: its end, and its start. */
const recentBytes = 64 * 1024;

/**
 * Has the log keep what the agent says, so that searches find it beside all else: what it said since the latest line that is kept, and what comes
 * until the signal aborts. The agent's own file stays: that is written at once, whatever becomes of the agent.
 */
export async function keepOwnLines(ownLog: Pick<AgentLog, "read">, store: LogStore, signal: AbortSignal): Promise<void> {
  const [latest] = await store.last(agentInstance, 1, signal);
  const saidAtMs = latest === undefined ? null : statedTimeOf(latest.text, fieldsOf(latest.text));
  const sinceMs = saidAtMs === null ? null : saidAtMs + 1;
  const record = await store.record(agentInstance);
  try {
    const query = { tail: Number.MAX_SAFE_INTEGER, sinceMs, follow: true, contains: null, recentBytes };
    for await (const { text } of ownLog.read(query, signal)) await record.write(Buffer.from(`${text}\n`));
  } finally {
    await record.end();
  }
}
