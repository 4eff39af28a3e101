import type { InstanceUsageView, UsageView } from "#model/api-usage.ts";
import type { Clock } from "#model/clock.ts";
import { latencyQuantile } from "#model/latency.ts";
import type { InstanceId, MachineId, ProcessName } from "#model/names.ts";
import { latencyBoundsMs } from "#model/routing-table.ts";
import type { ScaleActivity, ScaleLoad, ScaleMeasure } from "#model/scale.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import type { RouteTraffic } from "../control-plane.ts";
import type { Core } from "../controllers/core.ts";
import type { Traffic } from "../view/routes-view.ts";

/** What everything used and served up to one moment. */
export interface Sample {
  /** By the clock that never jumps. */
  readonly atMs: number;
  readonly instances: ReadonlyMap<string, InstanceUsageView>;
  /** When each machine measured, by its own clock. */
  readonly measuredAtMs: ReadonlyMap<string, number>;
  /** By app and process. */
  readonly traffic: ReadonlyMap<string, readonly RouteTraffic[]>;
  /** Machines whose edges told. */
  readonly told: ReadonlySet<MachineId>;
  /** Machines with an edge that did not tell. */
  readonly silent: readonly MachineId[];
}

const processKey = (space: string, app: string, process: string) => `${space}/${app}/${process}`;

/** What the whole installation uses and serves, each for a second at most. */
export interface Shared {
  readonly usage: (signal: AbortSignal) => Promise<UsageView>;
  readonly traffic: (signal: AbortSignal) => Promise<Traffic>;
}

/** Asks all agents and all edges. */
export async function takeSample(
  shared: Shared,
  { fleet, routes }: Pick<Core, "fleet" | "routes">,
  clock: Clock,
  signal: AbortSignal,
): Promise<Sample> {
  const [usage, { counted, answered }] = await Promise.all([shared.usage(signal), shared.traffic(signal)]);
  const machines = new Set(fleet.machines().map(({ id }) => id));
  return {
    atMs: clock.monotonicMs(),
    instances: new Map(usage.instances.map((one) => [one.id, one])),
    measuredAtMs: new Map(usage.machines.map(({ machine, atMs }) => [machine, atMs])),
    traffic: Map.groupBy(counted, ({ route }) => processKey(route.space, route.app, route.process)),
    told: answered,
    // What an edge without a link serves nobody knows; one whose machine is gone serves nothing.
    silent: routes.edges.flatMap(({ machine }) => (answered.has(machine) || !machines.has(machine) ? [] : machine)),
  };
}

/** What a process did between two samples. @param ready its instances that bear the load, of so many that are wanted @param told what others than agents and edges say for the rule, as it is now */
export function loadBetween(
  before: Sample,
  now: Sample,
  { space, app, process }: { readonly space: string; readonly app: string; readonly process: ProcessName },
  ready: readonly Pick<ObservedInstance, "id" | "machine">[],
  wanted: number,
  told: Pick<ScaleLoad, "metric" | "command">,
): ScaleLoad {
  const used = ready.map((one) => ({ cores: coresOf(before, now, one), memory: now.instances.get(one.id)?.memoryBytes ?? null }));
  const key = processKey(space, app, process);
  const requests = requestsBetween(before, now, key);
  const quantile = latencyQuantile(requests.latency, 0.95) ?? 0;
  return {
    cores: sum(
      used.map(({ cores }) => cores),
      wanted,
    ),
    memoryBytes: sum(
      used.map(({ memory }) => memory),
      wanted,
    ),
    rps: { amount: requests.count / ((now.atMs - before.atMs) / 1_000), missing: requests.missing },
    latencyMs: { amount: quantile, missing: requests.missing },
    ...told,
  };
}

/** Whether anybody asked for a process between two samples, or something of it is open. @param holders machines whose edges hold requests for it */
export function activityBetween(
  before: Sample,
  now: Sample,
  { space, app, process }: { readonly space: string; readonly app: string; readonly process: ProcessName },
  holders: Pick<ReadonlySet<MachineId>, "has">,
): ScaleActivity {
  const key = processKey(space, app, process);
  const { count, missing } = requestsBetween(before, now, key);
  const deaf = [...now.told].filter((machine) => !holders.has(machine));
  const words = [
    ...(missing === null ? [] : [missing]),
    ...(deaf.length === 0 ? [] : [`who asks the edge on ${deaf.join(", ")}, which holds no requests`]),
  ];
  const isOpen = (now.traffic.get(key) ?? []).some(({ counted }) => counted.isBusy === true);
  return { isBusy: count > 0 || isOpen, missing: words.length === 0 ? null : words.join(", ") };
}

/** Those that are not ready may use as much as the others as soon as they are. */
function sum(amounts: readonly (number | null)[], wanted: number): ScaleMeasure {
  const known = amounts.filter((amount) => amount !== null);
  const all = Math.max(amounts.length, wanted);
  const missing = known.length === all ? null : `what ${all - known.length} of ${all} instances use`;
  return { amount: known.reduce((total, amount) => total + amount, 0), missing };
}

/** Null for an instance that was not measured twice. One that was started again meanwhile counts from zero. */
function coresOf(before: Sample, now: Sample, { id, machine }: { readonly id: InstanceId; readonly machine: MachineId }): number | null {
  const [earlier, current] = [before.instances.get(id), now.instances.get(id)];
  const [from, to] = [before.measuredAtMs.get(machine), now.measuredAtMs.get(machine)];
  if (earlier === undefined || current === undefined || from === undefined || to === undefined || to <= from) return null;
  const seconds = current.cpuSeconds >= earlier.cpuSeconds ? current.cpuSeconds - earlier.cpuSeconds : current.cpuSeconds;
  return seconds / ((to - from) / 1_000);
}

function requestsBetween(before: Sample, now: Sample, key: string) {
  const counterOf = ({ machine, counted }: RouteTraffic) => `${machine} ${counted.route} ${counted.release}`;
  const earlier = new Map((before.traffic.get(key) ?? []).map((one) => [counterOf(one), one.counted]));
  const latency = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  let count = 0;
  for (const one of now.traffic.get(key) ?? []) {
    // What an edge counted before it was first asked is no load of now.
    if (!before.told.has(one.machine)) continue;
    const then = earlier.get(counterOf(one));
    // An edge that was started anew counts from zero.
    const from = then === undefined || one.counted.requests < then.requests ? null : then;
    count += one.counted.requests - (from?.requests ?? 0);
    for (const [i, bucket] of one.counted.latency.entries()) latency[i] = (latency[i] ?? 0) + bucket - (from?.latency[i] ?? 0);
  }
  const untold = new Set([...now.silent, ...[...now.told].filter((machine) => !before.told.has(machine))]);
  return { count, latency, missing: untold.size === 0 ? null : `what the edge on ${[...untold].join(", ")} serves` };
}
