import type { KeptLogsView } from "#model/api-logs.ts";
import { type KeepRule, type KeptLogs, keepRuleOf } from "#model/log-keep.ts";
import type { SpaceName } from "#model/names.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { gather, type LogSearcherOptions } from "./log-search.ts";

/** What machines keep of the logs of these spaces, and since when. */
export async function viewKeptLogs(
  options: Pick<LogSearcherOptions, "fleet" | "clock"> & { readonly store: Store },
  has: (space: string) => boolean,
  signal: AbortSignal,
): Promise<KeptLogsView> {
  const { answers, silent } = await gather(options, (agent, until) => agent.keptLogs(until), signal);
  const spaces = answers.flatMap(({ machine, answer }) => {
    const bySpace = Map.groupBy(answer.apps, ({ app }) => app.slice(0, app.indexOf("/")) as SpaceName);
    return [...bySpace]
      .filter(([space]) => has(space))
      .map(([space, apps]) => ofSpace(space, machine, apps, answer, keepRuleOf(objects.space(options.store, space)?.value ?? {})));
  });
  const machines = answers.map(({ machine, answer: { apps, totalBytes, appBytes } }) => ({
    machine,
    bytes: sumOf(apps, "bytes"),
    mostBytes: totalBytes,
    appBytes,
  }));
  return {
    spaces: spaces.sort((a, b) => compare(a.space, b.space) || compare(a.machine, b.machine)),
    machines: machines.sort((a, b) => compare(a.machine, b.machine)),
    silent: [...silent],
  };
}

function ofSpace(space: SpaceName, machine: string, apps: KeptLogs["apps"], { ageMs }: KeptLogs, rule: KeepRule) {
  const since = apps.map(({ sinceMs }) => sinceMs).filter((ms) => ms !== null);
  return {
    space: space as string,
    machine,
    apps: apps.length,
    bytes: sumOf(apps, "bytes"),
    lines: sumOf(apps, "lines"),
    sinceMs: since.length === 0 ? null : Math.min(...since),
    expiredLines: sumOf(apps, "expiredLines"),
    ageMs: rule.ageMs ?? ageMs,
    mostBytes: rule.bytes,
  };
}

function sumOf(apps: KeptLogs["apps"], what: "bytes" | "lines" | "expiredLines"): number {
  return apps.reduce((sum, app) => sum + app[what], 0);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
