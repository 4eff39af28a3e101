import type { App, Release } from "#model/app.ts";
import type { MachineId, ProcessName } from "#model/names.ts";
import { type Placement, planPlacement, suits } from "../placement/plan-placement.ts";
import { type Shares, shareOut } from "../placement/share-out.ts";
import { countReleases, existingOf, type ReleaseCount, readyOf, sum } from "./counts.ts";
import type { ObservedWorkload, Order, RolloutInput, RolloutPlan } from "./input.ts";
import { isOnlyOne, type OnlyOnePlan, planOnlyOne } from "./only-one.ts";
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
  readonly holders: ReadonlyMap<ProcessName, MachineId>;
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
  const wishes: Wish[] = [];
  const missing: string[] = [];
  const waitingFor: string[] = [];
  const singles = new Set<ProcessName>();
  const holders = new Map<ProcessName, MachineId>();
  const processes = target.release?.spec.processes ?? {};
  const isReplacing = target.release !== null && target.active !== null && target.release.number !== target.active;
  for (const process of processNames(processes, observed)) {
    const isOfTarget = Object.hasOwn(processes, process);
    // What only other releases have goes when the target is there for good: until then they may be needed again.
    if (!isOfTarget && isReplacing) continue;
    const release = target.release?.number ?? -1;
    const counts = countReleases(observed, process, release);
    const wantedInAll = wantedOf(app, process);
    const beside = besideOf(counts);
    if (isOnlyOne(input.releases, process, counts)) {
      singles.add(process);
      const single = planSingle(input, process, counts, isOfTarget ? (target.release?.number ?? null) : null, wantedInAll);
      const { kept } = single;
      if (kept !== null) holders.set(process, kept.machine);
      for (const count of counts) {
        const keep = new Map(
          count.parts.map(({ machine }) => [machine, kept?.release === count.release && kept.machine === machine ? 1 : 0]),
        );
        const isTarget = count.release === release;
        const more = isTarget && single.isFree ? 1 : 0;
        wishes.push({ process, release: count, total: isTarget ? wantedInAll : 0, shares: { keep, more }, beside, isTarget });
      }
      if (!isOfTarget) continue;
      const own = counts.find((count) => count.release === release);
      if (
        wantedInAll > 0 &&
        (kept?.release !== release || own?.ready === 0 || own?.parts.some((part) => part.count > 0 && !part.isCurrent))
      )
        missing.push(`${process}: ${Math.min(1, own?.ready ?? 0)} of 1 ready`);
      if (kept === null) waitingFor.push(...single.waitingFor);
      continue;
    }
    const next =
      isOfTarget || target.release === null
        ? plan(process, counts, isExclusive(input, target, process, counts))
        : new Map<number, number>();
    const room = wantedInAll + surgeOf(app, wantedInAll) - sum(counts, "existing");
    for (const count of counts)
      wishes.push(wishFor(input, process, count, next.get(count.release) ?? 0, { beside, room, target: release }));
    if (!isOfTarget) continue;
    const wanted = shareOf(wantedInAll, share);
    const own = counts.find((count) => count.release === release);
    if (own !== undefined && (own.ready < wanted || own.count < wanted || own.parts.some((part) => part.count > 0 && !part.isCurrent)))
      missing.push(`${process}: ${own.ready} of ${wanted} ready`);
  }
  const needsTask = rollout !== null && rollout.release === taskOf && (rollout.before === "waiting" || rollout.before === "running");
  const removals: Order[] = [];
  for (const workload of observed) {
    if (workload.kind !== "task" || workload.isRemoving || (needsTask && workload.release === taskOf)) continue;
    if (workload.isReachable) removals.push(removal(workload, "the command has done its work"));
  }
  const { placed, ...found } = place(input, wishes);
  for (const [{ process }, { on }] of placed) {
    const [machine] = on.keys();
    if (machine !== undefined && singles.has(process)) holders.set(process, machine);
  }
  // A machine that cannot be asked says nothing when its time is over.
  const ends = [...input.held.values()].map(({ untilMs }) => untilMs).filter(Number.isFinite);
  return {
    step: null,
    replanAtMs: waitingFor.length === 0 || ends.length === 0 ? null : Math.min(...ends),
    waitingFor: [...missing, ...waitingFor],
    missing,
    ...found,
    orders: [...found.orders, ...removals],
    holders,
  };
}

export function removal({ id, machine }: ObservedWorkload, reason: string): Order {
  return { kind: "remove", id, machine, reason };
}

/** How many of the process each machine has, of whichever release. */
function besideOf(counts: readonly ReleaseCount[]): ReadonlyMap<MachineId, number> {
  const beside = new Map<MachineId, number>();
  for (const { parts } of counts) for (const { machine, count } of parts) beside.set(machine, (beside.get(machine) ?? 0) + count);
  return beside;
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

/** What is to become of a release of a process: how many each machine keeps, and how many more are to find a place. */
interface Wish {
  readonly process: ProcessName;
  readonly release: ReleaseCount;
  readonly total: number;
  readonly shares: Shares;
  readonly beside: ReadonlyMap<MachineId, number>;
  readonly isTarget: boolean;
}

function wishFor(
  input: Known,
  process: ProcessName,
  release: ReleaseCount,
  total: number,
  { beside, room, target }: { readonly beside: ReadonlyMap<MachineId, number>; readonly room: number; readonly target: number },
): Wish {
  const leaving = leavingMachines(input);
  const most = mostOf(input, process);
  const parts = release.parts.map((part) => ({
    machine: part.machine,
    count: part.count,
    ready: readyOf(part),
    revision: part.revision,
    isReachable: part.isReachable,
    leaving: leaving.has(part.machine) ? part.count : most === undefined ? 0 : Math.max(0, part.count - (most.get(part.machine) ?? 0)),
  }));
  const shares = shareOut({ parts, total, room, beside });
  // What other releases have is about to be replaced: to keep away from it would leave new ones crowded where it was replaced first.
  return { process, release, total, shares, beside: besideOf([release]), isTarget: release.release === target };
}

/** Of the process, on each machine, while it is made more even: a deploy goes before that. */
function mostOf({ rollout, most }: Known, process: ProcessName): ReadonlyMap<MachineId, number> | undefined {
  return rollout === null ? most?.get(process) : undefined;
}

/** What becomes of a process that must not run twice, and what it waits for if none of it stays. */
function planSingle(
  input: Known,
  process: ProcessName,
  counts: readonly ReleaseCount[],
  release: number | null,
  wanted: number,
): OnlyOnePlan & { readonly waitingFor: readonly string[] } {
  const held = input.held.get(process);
  const leaving = leavingMachines(input);
  const plan = planOnlyOne({ counts, release, isWanted: wanted > 0, leaving, isHeld: held !== undefined });
  const silent = counts.flatMap(({ parts }) =>
    parts.filter((part) => !part.isReachable && existingOf(part) > 0).map(({ machine }) => machine),
  );
  const machines = new Set([...silent, ...(held === undefined ? [] : [held.machine])]);
  const waitingFor = [...machines].map((machine) => `${machine}, which does not answer and may run ${process} until its lease ends`);
  return { ...plan, waitingFor: wanted > 0 ? waitingFor : [] };
}

/** What is where it may not run, since its place or the machine's labels were changed, moves as from a machine that drains. */
function leavingMachines({ machines, placement }: Known): ReadonlySet<MachineId> {
  return new Set(machines.filter((machine) => machine.isDraining || !suits(machine, placement)).map(({ id }) => id));
}

/** Finds places for what is wanted beyond what there is, and says which machine is to have how many. */
function place(
  input: Known,
  wishes: readonly Wish[],
): Pick<OrdersPlan, "orders" | "unplaced" | "neverFits"> & { readonly placed: ReadonlyMap<Wish, Placement> } {
  const raised = wishes.filter(({ shares }) => shares.more > 0);
  const placements = planPlacement(
    raised.map(({ process, release, shares, beside }) => ({
      name: process,
      more: shares.more,
      resources: input.releases.get(release.release)?.spec.processes[process]?.resources ?? noResources,
      beside,
      rules: input.placement,
      most: mostOf(input, process),
    })),
    input.machines,
  );
  const placed = new Map(placements.flatMap((placement, i) => (raised[i] === undefined ? [] : [[raised[i], placement] as const])));
  return {
    placed,
    orders: wishes.flatMap((wish) => ordersOf(wish, placed.get(wish)?.on ?? new Map())),
    unplaced: placements.flatMap((placement) => placement.unplaced ?? []),
    neverFits: placements.some((placement) => placement.neverFits),
  };
}

const noResources = { cpu: null, memoryBytes: null, pids: 0 };

/** By machine, so that the same wish always gives the same orders. */
function ordersOf(wish: Wish, placed: ReadonlyMap<MachineId, number>): readonly Order[] {
  const parts = new Map(wish.release.parts.map((part) => [part.machine, part]));
  const machines = [...new Set([...parts.keys(), ...placed.keys()])].sort();
  return machines.flatMap((machine) => {
    const count = (wish.shares.keep.get(machine) ?? 0) + (placed.get(machine) ?? 0);
    return orderFor(wish, machine, parts.get(machine) ?? null, count) ?? [];
  });
}

function orderFor(
  { process, release, total, isTarget }: Wish,
  machine: MachineId,
  part: ObservedWorkload | null,
  count: number,
): Order | null {
  if (part !== null && !part.isReachable) return null;
  if (count === 0) {
    if (part === null || part.isRemoving) return null;
    const why = total > 0 ? "fewer instances are wanted here" : isTarget ? "none is wanted" : "another release takes its place";
    return removal(part, why);
  }
  if (part !== null && !part.isRemoving && part.count === count && part.isCurrent) return null;
  const before = part?.count ?? 0;
  const reason =
    part === null || before < count ? "instances are wanted" : before > count ? "fewer instances are wanted" : "the order changed";
  return { kind: "apply", machine, process, release: release.release, workload: "service", count, reason };
}

/** Stops everything of the app. */
export function removeAll(observed: readonly ObservedWorkload[], reason: string): RolloutPlan {
  const running = sum(
    observed.flatMap((workload) => countReleases([{ ...workload, kind: "service" }], workload.process, workload.release)),
    "existing",
  );
  return {
    step: null,
    orders: observed.filter(({ isRemoving, isReachable }) => isReachable && !isRemoving).map((workload) => removal(workload, reason)),
    replanAtMs: null,
    waitingFor: running === 0 ? [] : [running === 1 ? "1 instance to stop" : `${running} instances to stop`],
    unplaced: [],
  };
}
