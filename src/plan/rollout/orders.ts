import type { App, Release } from "#model/app.ts";
import type { ProcessName } from "#model/names.ts";
import { planPlacement } from "../placement/plan-placement.ts";
import { countReleases, type ReleaseCount, sum } from "./counts.ts";
import type { ObservedWorkload, Order, RolloutInput, RolloutPlan } from "./input.ts";
import { countsBeside, countsTowards, type ReleaseCounts } from "./process-counts.ts";

export interface Target {
  /** Null: nothing is to take the place of what runs, only to go if it is of no use. */
  readonly release: Release | null;
  /** The release that traffic can rely on; null if there is none. */
  readonly active: number | null;
}

export interface OrdersPlan extends RolloutPlan {
  /** Processes of the target that do not have what is wanted ready, in words. */
  readonly missing: readonly string[];
  /** Whether something that is wanted would not even fit on an empty machine. */
  readonly neverFits: boolean;
}

type Known = RolloutInput & { readonly observed: readonly ObservedWorkload[] };

export function wantedOf(app: App, process: ProcessName): number {
  return app.instances[process] ?? 1;
}

function surgeOf(app: App, wanted: number): number {
  const { surge } = app.deploy;
  return "instances" in surge ? surge.instances : Math.max(1, shareOf(wanted, surge.share));
}

/** Orders that replace what runs by the target, a few instances at a time. */
export function ordersTowards(input: Known, target: Target, taskOf: number): OrdersPlan {
  return orders(input, target, taskOf, (process, counts, isExclusive) => {
    const wanted = wantedOf(input.app, process);
    if (target.release === null) return new Map(counts.map((count) => [count.release, count.ready]));
    const release = target.release.number;
    return countsTowards({ counts, release, wanted, active: target.active, isExclusive, surge: surgeOf(input.app, wanted) });
  });
}

/** Orders that run a share of the target's instances beside the active release, which stays whole. */
export function ordersBeside(
  input: Known,
  target: Target & { readonly release: Release; readonly active: number },
  share: number,
): OrdersPlan {
  return orders(
    input,
    target,
    target.release.number,
    (process, counts, isExclusive) => {
      const wanted = wantedOf(input.app, process);
      return countsBeside({
        counts,
        release: target.release.number,
        wanted,
        active: target.active,
        isExclusive,
        share: shareOf(wanted, share),
      });
    },
    share,
  );
}

function shareOf(wanted: number, share: number): number {
  // Rounded first, because 0.07 * 100 is a little more than 7.
  return wanted === 0 ? 0 : Math.max(1, Math.ceil(Number((wanted * share).toFixed(9))));
}

function orders(
  input: Known,
  target: Target,
  taskOf: number,
  plan: (process: ProcessName, counts: readonly ReleaseCount[], isExclusive: boolean) => ReleaseCounts,
  share = 1,
): OrdersPlan {
  const { app, observed, rollout } = input;
  const result: Order[] = [];
  const missing: string[] = [];
  const processes = target.release?.spec.processes ?? {};
  const isReplacing = target.release !== null && target.active !== null && target.release.number !== target.active;
  for (const process of processNames(processes, observed)) {
    const isOfTarget = Object.hasOwn(processes, process);
    // What only other releases have goes when the target is there for good: until then they may be needed again.
    if (!isOfTarget && isReplacing) continue;
    const release = target.release?.number ?? -1;
    const counts = countReleases(observed, process, release);
    const next =
      isOfTarget || target.release === null
        ? plan(process, counts, isExclusive(input, target, process, counts))
        : new Map<number, number>();
    for (const count of counts) {
      const order = orderFor(process, count, next.get(count.release) ?? 0, release);
      if (order !== null) result.push(order);
    }
    if (!isOfTarget) continue;
    const wanted = shareOf(wantedOf(app, process), share);
    const own = counts.find((count) => count.release === release);
    if (own !== undefined && (own.ready < wanted || own.count < wanted || (own.workload !== null && !own.workload.isCurrent)))
      missing.push(`${process}: ${own.ready} of ${wanted} ready`);
  }
  const needsTask = rollout !== null && rollout.release === taskOf && (rollout.before === "waiting" || rollout.before === "running");
  for (const workload of observed) {
    if (workload.kind !== "task" || workload.isRemoving || (needsTask && workload.release === taskOf)) continue;
    result.push({ kind: "remove", id: workload.id, reason: "the command has done its work" });
  }
  return { step: null, replanAtMs: null, waitingFor: missing, missing, ...place(input, result) };
}

function processNames(processes: Release["spec"]["processes"], observed: readonly ObservedWorkload[]): readonly ProcessName[] {
  const names = new Set(Object.keys(processes) as ProcessName[]);
  for (const workload of observed) if (workload.kind === "service") names.add(workload.process);
  return [...names].sort();
}

/** Whether the target cannot run beside others, because both insist on the same port of the machine. */
function isExclusive({ releases }: Known, target: Target, process: ProcessName, counts: readonly ReleaseCount[]): boolean {
  const port = target.release?.spec.processes[process]?.port;
  if (typeof port !== "number") return false;
  return counts.some(({ release }) => release !== target.release?.number && releases.get(release)?.spec.processes[process]?.port === port);
}

function orderFor(process: ProcessName, now: ReleaseCount, count: number, target: number): Order | null {
  const { workload, release } = now;
  if (count === 0) {
    if (workload === null || workload.isRemoving) return null;
    return { kind: "remove", id: workload.id, reason: release === target ? "none is wanted" : "another release takes its place" };
  }
  if (workload !== null && !workload.isRemoving && workload.count === count && workload.isCurrent) return null;
  const reason =
    workload === null || now.count < count
      ? "instances are wanted"
      : now.count > count
        ? "fewer instances are wanted"
        : "the order changed";
  return { kind: "apply", process, release, workload: "service", count, reason };
}

/** Cuts what is ordered down to what fits on the machines. */
function place(input: Known, wanted: readonly Order[]): Pick<OrdersPlan, "orders" | "unplaced" | "neverFits"> {
  const before = (order: Extract<Order, { kind: "apply" }>) =>
    input.observed.find((workload) => workload.process === order.process && workload.release === order.release)?.count ?? 0;
  const raised = wanted.filter((order) => order.kind === "apply" && order.count > before(order)) as Extract<Order, { kind: "apply" }>[];
  const placements = planPlacement(
    raised.map((order) => ({
      name: order.process,
      more: order.count - before(order),
      resources: input.releases.get(order.release)?.spec.processes[order.process]?.resources ?? { cpu: null, memoryBytes: null, pids: 0 },
    })),
    input.machines,
  );
  const cut = new Map(placements.map((placement, i) => [raised[i] as Order, placement]));
  const result: Order[] = [];
  for (const order of wanted) {
    const placement = cut.get(order);
    if (placement === undefined || placement.problem === null || order.kind !== "apply") result.push(order);
    else if (placement.fitting > 0) result.push({ ...order, count: before(order) + placement.fitting });
  }
  return {
    orders: result,
    unplaced: placements.flatMap((placement) => placement.problem ?? []),
    neverFits: placements.some((placement) => placement.neverFits),
  };
}

/** Stops everything of the app. */
export function removeAll(observed: readonly ObservedWorkload[], reason: string): RolloutPlan {
  const running = sum(
    observed.flatMap((workload) => countReleases([{ ...workload, kind: "service" }], workload.process, workload.release)),
    "existing",
  );
  return {
    step: null,
    orders: observed.filter((workload) => !workload.isRemoving).map(({ id }) => ({ kind: "remove", id, reason })),
    replanAtMs: null,
    waitingFor: running === 0 ? [] : [running === 1 ? "1 instance to stop" : `${running} instances to stop`],
    unplaced: [],
  };
}
