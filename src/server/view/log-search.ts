import type { LogContextView, LogHistogram, LogPage } from "#model/api-logs.ts";
import type { Clock } from "#model/clock.ts";
import {
  compareKeys,
  countedLevels,
  type LogContext,
  type LogCount,
  type LogKey,
  type LogSearch,
  type LogSearchAnswer,
} from "#model/log-event.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { writeCursor } from "./log-cursor.ts";
import { type LogMasksOptions, masksFor } from "./log-masks.ts";
import { askPeers } from "./peer-answers.ts";

/** An agent's share of time for a search, twice, since another one may be before it; then nobody waits for it any longer. */
const searchAnswerMs = 10_000;

type Searched<T> = { readonly machine: string; readonly answer: T };

interface Gathered<T> {
  readonly answers: readonly Searched<T>[];
  readonly silent: LogPage["silent"];
}

export interface LogSearcherOptions extends LogMasksOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
}

/** The newest events of all machines that match, as of one. */
export async function searchLogs(options: LogSearcherOptions, search: LogSearch, signal: AbortSignal): Promise<LogPage> {
  const ask = (agent: AgentPeer, until: AbortSignal) => agent.searchLogs({ ...search, masks: masksFor(options, agent, search.of) }, until);
  const { answers, silent } = await gather(options, ask, signal);
  // Below the floor of any of them, events of it may be missing: they come with the next page.
  const floor = answers.map(({ answer }) => floorOf(answer)).reduce(later, null);
  const known = answers.flatMap(({ answer }) => answer.events).filter((event) => floor === null || compareKeys(event, floor) >= 0);
  const events = known.sort((a, b) => compareKeys(b, a)).slice(0, search.limit);
  const next = known.length > events.length ? (events.at(-1) ?? null) : floor;
  const searched = answers.map(({ answer }) => answer.searchedToMs).filter((ms) => ms !== null);
  return {
    events: events.map((event) => options.mask.event(event)),
    next: next === null ? null : writeCursor(next),
    searchedToMs: known.length > events.length || searched.length === 0 ? null : Math.max(...searched),
    silent,
    damaged: damagedOf(answers),
  };
}

/** How many events match on all machines, by time and level. */
export async function countLogs(options: LogSearcherOptions, count: LogCount, signal: AbortSignal): Promise<LogHistogram> {
  const ask = (agent: AgentPeer, until: AbortSignal) => agent.countLogs({ ...count, masks: masksFor(options, agent, count.of) }, until);
  const { answers, silent } = await gather(options, ask, signal);
  const buckets = Array.from({ length: Math.ceil((count.untilMs - count.sinceMs) / count.bucketMs) }, (_, bucket) =>
    countedLevels.map((_level, level) => answers.reduce((sum, { answer }) => sum + (answer.buckets[bucket]?.[level] ?? 0), 0)),
  );
  const searched = answers.map(({ answer }) => answer.searchedToMs).filter((ms) => ms !== null);
  return {
    sinceMs: count.sinceMs,
    bucketMs: count.bucketMs,
    levels: [...countedLevels],
    buckets,
    searchedToMs: searched.length === 0 ? null : Math.max(...searched),
    silent,
    damaged: damagedOf(answers),
  };
}

/** What stands around an event: lines of one instance are on one machine, and which that was is not always known any more. */
export async function logContext(options: LogSearcherOptions, context: LogContext, signal: AbortSignal): Promise<LogContextView> {
  const { answers, silent } = await gather(options, (agent, until) => agent.logContext(context, until), signal);
  const events = answers.flatMap(({ answer }) => answer.events.map((event) => options.mask.event(event)));
  return { events, silent: events.length > 0 ? [] : silent, damaged: damagedOf(answers) };
}

/** Asks every agent, and says which could not. */
export async function gather<T>(
  { fleet, clock }: Pick<LogSearcherOptions, "fleet" | "clock">,
  ask: (agent: AgentPeer, signal: AbortSignal) => Promise<T | null>,
  signal: AbortSignal,
): Promise<Gathered<T>> {
  const asked = await askPeers(fleet.agents(), ask, clock, signal, searchAnswerMs);
  const answers: Searched<T>[] = [];
  const silent: { readonly machine: string; readonly why: string }[] = [];
  for (const one of asked) {
    const { machine } = one.peer;
    if (!("answer" in one)) silent.push({ machine, why: one.why });
    else if (one.answer === null) silent.push({ machine, why: "its agent is too old to search logs" });
    else answers.push({ machine, answer: one.answer });
  }
  const linked = new Set(fleet.agents().map(({ machine }) => machine));
  for (const { id } of fleet.machines()) if (!linked.has(id)) silent.push({ machine: id, why: "it is not linked" });
  return { answers, silent: silent.sort((a, b) => (a.machine < b.machine ? -1 : 1)) };
}

/** The event from which on all of an agent's are known; null: from the first. */
function floorOf({ events, hasMore, searchedToMs }: LogSearchAnswer): LogKey | null {
  if (searchedToMs !== null) return { atMs: searchedToMs, instance: "" as LogKey["instance"], sequence: 0 };
  return hasMore ? (events.at(-1) ?? null) : null;
}

function later(left: LogKey | null, right: LogKey | null): LogKey | null {
  if (left === null || right === null) return left ?? right;
  return compareKeys(left, right) > 0 ? left : right;
}

function damagedOf(answers: readonly Searched<{ readonly damaged: readonly string[] }>[]): string[] {
  return answers.flatMap(({ machine, answer }) => answer.damaged.map((file) => `${machine}:${file}`));
}
