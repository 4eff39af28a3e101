import type { HealthHistory, HealthPeriod } from "#model/api-history.ts";
import type { DroverEvent } from "#model/app.ts";

type State = HealthPeriod["state"];

/** What an event says of how its app is from then on. What only changes within one state is no change. */
const states: Readonly<Record<string, State>> = {
  "app.well": "well",
  "app.degraded": "degraded",
  "app.failing": "failing",
  "app.idle": "idle",
};

/** The same of a machine: whether its agent answers is all that its health is. */
const machineStates: Readonly<Record<string, State>> = {
  "agent.linked": "well",
  "agent.unlinked": "failing",
  "machine.lost": "failing",
  "machine.removed": "unknown",
};

export const appHealthKinds = Object.keys(states);
export const machineHealthKinds = Object.keys(machineStates);

/**
 * How an app or a machine was over a time, without a gap. Pure.
 * @param before the last that was told before that time; null: nothing was
 * @param events of that time, in their order
 */
export function foldHealth(
  before: DroverEvent | null,
  events: readonly DroverEvent[],
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
): Pick<HealthHistory, "wellShare" | "periods"> {
  const periods: HealthPeriod[] = [];
  const begin = (event: DroverEvent | null, startMs: number) => {
    const state = (event === null ? undefined : (states[event.kind] ?? machineStates[event.kind])) ?? "unknown";
    const last = periods.at(-1);
    if (last?.state === state) return;
    if (last !== undefined) last.endMs = startMs;
    periods.push({ state, startMs, endMs: untilMs, message: event?.message ?? null, code: codeIn(event) });
  };
  begin(before, sinceMs);
  for (const event of events) begin(event, event.atMs);
  const timeOf = (...among: readonly State[]) =>
    periods.reduce((sum, { state, startMs, endMs }) => sum + (among.includes(state) ? endMs - startMs : 0), 0);
  const wantedMs = timeOf("well", "degraded", "failing");
  return { wellShare: wantedMs === 0 ? null : timeOf("well") / wantedMs, periods: periods.filter(({ startMs, endMs }) => endMs > startMs) };
}

function codeIn(event: DroverEvent | null): string | null {
  if (event !== null && machineStates[event.kind] === "failing") return "AGENT_UNLINKED";
  const code = (event?.details as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : null;
}
