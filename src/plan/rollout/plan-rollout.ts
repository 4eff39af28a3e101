import type { App, Release, Rollout } from "#model/app.ts";
import { describeExit } from "#model/exit.ts";
import { beforeProcess, type MachineId } from "#model/names.ts";
import { formatDuration } from "#model/quantities.ts";
import { planPlacement, type Unplaced } from "../placement/plan-placement.ts";
import { describeTrouble, findCrashing, findWorst, judgeTraffic, percent } from "./failures.ts";
import type { Failure, ObservedWorkload, RolloutInput, RolloutPlan, Step } from "./input.ts";
import { ordersBeside, ordersTowards, removeAll, type Target } from "./orders.ts";

/** How long a `before` command waits for the apps that its app needs; after that its own words tell more than more waiting. */
const longestWaitForNeedsMs = 30_000;
/** How soon to look whether a needed app is ready: it is another app, whose changes do not wake this one. */
const needsPollMs = 250;

/**
 * What to do next for one app: either one durable step, or orders for the agent, or nothing and what it waits for.
 * Pure, total and deterministic; carrying the plan out and asking again ends with an empty plan.
 */
export function planRollout(input: RolloutInput): RolloutPlan {
  const { app, observed, releases, rollout, nowMs } = input;
  if (observed === null) return waitFor(["the agent, which is not linked"]);
  const known = { ...input, observed };
  if (app.destroying) return planDestroy(known);
  if (app.stopped) return planStopped(known);
  if (input.emptied !== undefined)
    return { ...planStopped(known), waitingFor: [`${input.emptied}, which has its volumes and is to be empty until it is uncordoned`] };
  if (app.target === null) return removeAll(observed, "no release is wanted");
  const release = releases.get(app.target);
  if (release === undefined) return waitFor([`release ${app.target}, which is not kept`]);
  const target: Wanted = { release, active: app.active };

  if (app.target === app.active) {
    if (rollout !== null) return step({ kind: "end", reason: `release ${app.target} is active already` });
    return ordersTowards(known, target, release.number);
  }
  if (rollout === null || rollout.release !== release.number) return step(begin(input, release));
  if (rollout.pausedAtMs !== null)
    return step({
      kind: "advance",
      rollout: { ...rollout, pausedAtMs: null, heldMs: rollout.heldMs + nowMs - rollout.pausedAtMs },
      reason: "the app was started again",
    });
  if (release.state === "failed") return planFailed(known, target, rollout);
  if (rollout.before === "waiting" || rollout.before === "running") return planBefore(known, target, rollout);
  return planDeploy(known, target, rollout);
}

/** Where it is going, known to exist. */
type Wanted = Target & { readonly release: Release };
type Known = RolloutInput & { readonly observed: readonly ObservedWorkload[] };

function planDestroy({ app, observed }: Known): RolloutPlan {
  if (observed.length > 0) return removeAll(observed, "the app is destroyed");
  return step({ kind: "forget", reason: `nothing of ${app.name} runs any more` });
}

function planStopped({ observed, rollout, nowMs }: Known): RolloutPlan {
  if (rollout !== null && rollout.pausedAtMs === null) {
    const heldMs = rollout.heldMs + (rollout.stepReadyAtMs === null ? 0 : nowMs - rollout.stepReadyAtMs);
    const before = rollout.before === "running" ? "waiting" : rollout.before;
    return step({
      kind: "advance",
      rollout: { ...rollout, before, heldMs, stepReadyAtMs: null, pausedAtMs: nowMs },
      reason: "the app was stopped on the way",
    });
  }
  return removeAll(observed, "the app is stopped");
}

function begin({ releases, nowMs }: RolloutInput, release: Release): Step {
  const rollout: Rollout = {
    release: release.number,
    startedAtMs: nowMs,
    before: release.spec.before === null ? "none" : "waiting",
    step: 0,
    stepReadyAtMs: null,
    heldMs: 0,
    pausedAtMs: null,
  };
  return { kind: "begin", rollout, supersede: inState(releases, ["pending"], release.number), reason: release.cause };
}

/** A release that failed with nothing to go back to: kept running as far as it came, so that it can still recover, until a newer one comes. */
function planFailed(input: Known, target: Wanted, rollout: Rollout): RolloutPlan {
  const { release } = target;
  if (target.active !== null && input.releases.has(target.active))
    return step({
      kind: "fail",
      release: release.number,
      fallBackTo: target.active,
      code: release.failure?.code ?? "RELEASE_FAILED",
      reason: release.failure?.reason ?? "it failed before",
      linesOf: null,
    });
  if (rollout.before === "waiting" || rollout.before === "running")
    return { ...ordersWhileWaiting(input, target), waitingFor: [`a newer release, because release ${release.number} failed`] };
  const plan = ordersTowards(input, target, release.number);
  return plan.missing.length === 0 ? step(activate(input, release)) : plan;
}

function planBefore(input: Known, target: Wanted, rollout: Rollout): RolloutPlan {
  const { observed, nowMs, unreadyNeeds, app } = input;
  const { release } = target;
  const waiting = ordersWhileWaiting(input, target);
  if (rollout.before === "waiting") {
    const goOnAtMs = countedFromMs(input, rollout) + longestWaitForNeedsMs;
    if (unreadyNeeds.length > 0 && nowMs < goOnAtMs) {
      const waitingFor = unreadyNeeds.map((need) => `${need}, which is not ready, before the before command runs`);
      return { ...waiting, waitingFor, replanAtMs: Math.min(goOnAtMs, nowMs + needsPollMs) };
    }
    // What was waited for others is none of the time that the command has.
    const heldMs = nowMs - rollout.startedAtMs;
    return step({ kind: "advance", rollout: { ...rollout, before: "running", heldMs }, reason: "the before command is next" });
  }
  const task = observed.find((workload) => workload.process === beforeProcess && workload.release === release.number);
  if (task === undefined || task.isRemoving) {
    const place = placeTask(input);
    if (place.machine === null) return { ...waiting, waitingFor: ["a machine for the before command"], unplaced: place.unplaced };
    const order = {
      kind: "apply",
      machine: place.machine,
      process: beforeProcess,
      release: release.number,
      workload: "task",
      count: 1,
      reason: "the before command runs once per release",
    } as const;
    return { ...waiting, orders: [...waiting.orders, order], waitingFor: ["the before command"] };
  }
  const ended = task.instances.find((instance) => instance.state === "exited");
  if (ended?.exit?.code === 0) {
    const heldMs = nowMs - rollout.startedAtMs;
    return step({ kind: "advance", rollout: { ...rollout, before: "done", heldMs }, reason: "the before command is done" });
  }
  if (ended !== undefined) {
    const how = ended.exit === null ? "ended" : describeExit(ended.exit);
    return step(fail(app, release, `the before command ${how}`, ended.id));
  }
  // The agent ends the command at its own limit; this one is for a command that cannot even start.
  const limitMs = (release.spec.before?.timeoutMs ?? 0) + app.deploy.deadline;
  const deadlineAtMs = countedFromMs(input, rollout) + limitMs;
  const trouble = task.reason?.message ?? task.instances[0]?.reason?.message ?? null;
  if (nowMs >= deadlineAtMs)
    return step(
      fail(
        app,
        release,
        `the before command did not end within ${formatDuration(limitMs)}${trouble === null ? "" : `: ${trouble}`}`,
        task.instances[0]?.id ?? null,
      ),
    );
  return {
    ...waiting,
    waitingFor: [`the before command${trouble === null ? "" : `: ${trouble}`}`],
    replanAtMs: deadlineAtMs,
  };
}

/** The command states no needs, so any machine will do that the app may run on. */
function placeTask({ machines, placement }: Known): { readonly machine: MachineId | null; readonly unplaced: readonly Unplaced[] } {
  const resources = { cpu: null, memoryBytes: null, pids: 0 };
  const [placed] = planPlacement([{ name: "the before command", more: 1, resources, beside: new Map(), rules: placement }], machines);
  return { machine: placed?.on.keys().next().value ?? null, unplaced: placed?.unplaced == null ? [] : [placed.unplaced] };
}

function planDeploy(input: Known, target: Wanted, rollout: Rollout): RolloutPlan {
  const { app, observed, nowMs } = input;
  const { release } = target;
  const own = observed.filter((workload) => workload.release === release.number && workload.kind === "service");
  const canary = app.deploy.strategy === "canary" && target.active !== null ? app.deploy.steps[rollout.step] : undefined;

  const crashing = input.unreadyNeeds.length > 0 ? null : findCrashing(own);
  if (crashing !== null) return step(fail(app, release, `${describeTrouble(crashing)} and never became ready`, crashing.id));
  if (canary !== undefined && rollout.stepReadyAtMs !== null) {
    const worse = judgeTraffic(input.traffic, app.deploy, canary);
    if (worse !== null) return step(fail(app, release, worse, null));
  }

  const plan =
    app.deploy.strategy === "rolling" || target.active === null
      ? ordersTowards(input, target, release.number)
      : ordersBeside(input, { ...target, active: target.active }, canary ?? 1);
  if (plan.neverFits)
    return step({
      ...fail(app, release, `cannot be placed: ${plan.unplaced.map(({ words }) => words).join("; ")}`, null),
      code: "CANNOT_PLACE",
    });
  const isThere = plan.missing.length === 0;
  if (canary !== undefined) {
    const moved = planCanaryStep(input, rollout, canary, isThere);
    if (moved !== null)
      return moved.step === null ? { ...moved, orders: plan.orders, unplaced: plan.unplaced, holders: plan.holders } : moved;
  } else if (isThere) {
    return step(activate(input, release));
  }

  const heldMs = rollout.heldMs + (rollout.stepReadyAtMs === null ? 0 : nowMs - rollout.stepReadyAtMs);
  const deadlineAtMs = countedFromMs(input, { ...rollout, heldMs }) + app.deploy.deadline;
  if (nowMs >= deadlineAtMs) return step(fail(app, release, lateness(input, plan, own), findWorst(own)?.id ?? null));
  return { ...plan, replanAtMs: Math.min(deadlineAtMs, plan.replanAtMs ?? deadlineAtMs) };
}

/** From when on the deadlines of a rollout count. */
function countedFromMs({ observedSinceMs }: Known, { startedAtMs, heldMs }: Rollout): number {
  return Math.max(startedAtMs + heldMs, observedSinceMs);
}

/** The next move of a canary whose instances of this step are there (or were, while it is watched); null while it waits for them. */
function planCanaryStep({ app, nowMs }: Known, rollout: Rollout, share: number, isThere: boolean): RolloutPlan | null {
  if (rollout.stepReadyAtMs === null) {
    if (!isThere) return null;
    return step({
      kind: "advance",
      rollout: { ...rollout, stepReadyAtMs: nowMs },
      reason: `the new release takes ${percent(share)} of traffic`,
    });
  }
  const endsAtMs = rollout.stepReadyAtMs + app.deploy.hold;
  if (nowMs < endsAtMs)
    return { ...waitFor([`${formatDuration(app.deploy.hold)} at ${percent(share)} of traffic to pass`]), replanAtMs: endsAtMs };
  return step({
    kind: "advance",
    rollout: { ...rollout, step: rollout.step + 1, stepReadyAtMs: null, heldMs: rollout.heldMs + nowMs - rollout.stepReadyAtMs },
    reason: `${percent(share)} of traffic went well for ${formatDuration(app.deploy.hold)}`,
  });
}

function lateness(
  input: Known,
  plan: { readonly missing: readonly string[]; readonly unplaced: readonly Unplaced[] },
  own: readonly ObservedWorkload[],
): string {
  const worst = findWorst(own);
  const stuck = own.find((workload) => workload.reason !== null)?.reason;
  const causes = [
    ...plan.unplaced.map(({ words }) => `cannot be placed: ${words}`),
    ...(stuck ? [stuck.message] : []),
    ...(worst === null ? [] : [describeTrouble(worst)]),
  ];
  return `not ready within ${formatDuration(input.app.deploy.deadline)} (${plan.missing.join(", ")})${causes.length === 0 ? "" : `: ${causes.join("; ")}`}`;
}

/** While the new release cannot start yet, what traffic relies on is kept whole and what was in between goes. */
function ordersWhileWaiting(input: Known, target: Wanted): RolloutPlan {
  const active = target.active === null ? undefined : input.releases.get(target.active);
  const keepTask = { ...input, keepTaskOf: target.release.number };
  if (active !== undefined)
    return { ...ordersTowards(keepTask, { release: active, active: active.number }, target.release.number), waitingFor: [] };
  return { ...ordersTowards(keepTask, { release: null, active: null }, target.release.number), waitingFor: [] };
}

function activate({ releases }: RolloutInput, release: Release): Step {
  return {
    kind: "activate",
    release: release.number,
    supersede: inState(releases, ["pending", "active"], release.number),
    reason: "all wanted instances are ready",
  };
}

function fail(app: App, release: Release, reason: string, linesOf: Failure["linesOf"]): Failure {
  return { kind: "fail", release: release.number, fallBackTo: app.active, code: "RELEASE_FAILED", reason, linesOf };
}

function inState(releases: ReadonlyMap<number, Release>, states: readonly Release["state"][], except: number): readonly number[] {
  return [...releases.values()]
    .filter((release) => release.number !== except && states.includes(release.state))
    .map((release) => release.number)
    .sort((a, b) => a - b);
}

function step(next: Step): RolloutPlan {
  return { step: next, orders: [], replanAtMs: null, waitingFor: [], unplaced: [] };
}

function waitFor(waitingFor: readonly string[]): RolloutPlan {
  return { step: null, orders: [], replanAtMs: null, waitingFor, unplaced: [] };
}
