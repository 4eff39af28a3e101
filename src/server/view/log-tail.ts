import type { LogTailItem } from "#model/api-logs.ts";
import { pause } from "#model/clock.ts";
import type { LogTail } from "#model/log-event.ts";
import { Wakeup } from "#model/wakeup.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import type { LogSearcherOptions } from "./log-search.ts";
import { PresentMasks, type PresentMasksOptions } from "./present-masks.ts";

/** Items that wait for their reader; past it what comes is left out, and the reader is told. */
const mostWaiting = 10_000;
/** How soon a machine that came, or came back, is listened to. */
const lookMs = 250;

/** Matching events of all machines as they come, and which machines are not heard meanwhile, until the signal aborts. */
export async function* tailLogs(
  options: LogSearcherOptions & PresentMasksOptions,
  tail: LogTail,
  signal: AbortSignal,
): AsyncGenerator<LogTailItem, void, void> {
  const { fleet, clock, mask } = options;
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const waiting: LogTailItem[] = [];
  const wakeup = new Wakeup();
  let dropped = 0;
  const say = (item: LogTailItem) => {
    if (waiting.length < mostWaiting) waiting.push(item);
    else dropped++;
    wakeup.wake();
  };
  const masks = new PresentMasks(options, tail.of, until);
  const listen = async (agent: AgentPeer) => {
    const over = new AbortController();
    const whileThere = AbortSignal.any([until, agent.gone, over.signal]);
    try {
      for await (const event of agent.tailLogs({ ...tail, ...masks.begin(agent, whileThere) }, whileThere))
        say({ kind: "event", event: mask.event(event) });
      if (!until.aborted) say({ kind: "silent", machine: agent.machine, why: "its link was lost" });
    } catch (error) {
      if (!until.aborted) say({ kind: "silent", machine: agent.machine, why: error instanceof Error ? error.message : String(error) });
    } finally {
      over.abort();
    }
  };
  const heard = new Set<string>();
  const listening = new Map<AgentPeer, Promise<void>>();
  const look = async () => {
    for (let isFirst = true; !until.aborted; isFirst = false) {
      for (const agent of fleet.agents()) {
        if (listening.has(agent)) continue;
        if (!isFirst || heard.has(agent.machine)) say({ kind: "heard", machine: agent.machine });
        heard.add(agent.machine);
        listening.set(agent, listen(agent));
      }
      for (const agent of listening.keys()) if (agent.gone.aborted) listening.delete(agent);
      if (isFirst) for (const { id } of fleet.machines()) if (!heard.has(id)) say({ kind: "silent", machine: id, why: "it is not linked" });
      await pause(clock, lookMs, until);
    }
  };
  const looking = look();
  try {
    while (!until.aborted) {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) yield item;
      if (dropped > 0) {
        yield { kind: "silent", machine: "server", why: `${dropped} events came faster than they were read, and were left out` };
        dropped = 0;
      } else await wakeup.wait(until);
    }
  } finally {
    ended.abort();
    await Promise.all([looking, masks.stopped(), ...listening.values()]);
  }
}
