import type { App, ProcessSpec, Release, ReleaseState, Rollout } from "#model/app.ts";
import type { DeployManifest } from "#model/manifest.ts";
import {
  type AppName,
  beforeProcess,
  type InstanceId,
  type MachineId,
  type ProcessName,
  type SpaceName,
  workloadId,
} from "#model/names.ts";
import type { InstanceState } from "#model/workload.ts";
import { anywhere, type MachineRoom } from "../placement/plan-placement.ts";
import { isLeaving, isReady } from "../rollout/counts.ts";
import type { ObservedInstance, ObservedWorkload, RolloutInput, RolloutPlan, Step } from "../rollout/input.ts";

export const web = "web" as ProcessName;
export const t0 = 1_000_000;
export const m1 = "m1" as MachineId;

/** A machine with more room than anything needs. */
export function room(id: MachineId, more: Partial<MachineRoom> = {}): MachineRoom {
  return {
    id,
    cores: 1_000,
    memoryBytes: 2 ** 40,
    freeCores: 1_000,
    freeMemoryBytes: 2 ** 40,
    instances: 0,
    labels: {},
    isCordoned: false,
    isDraining: false,
    ...more,
  };
}

export const plainDeploy: DeployManifest = {
  strategy: "rolling",
  surge: { share: 0.25 },
  steps: [0.1, 0.5],
  hold: 60_000,
  deadline: 300_000,
};

const plainProcess: ProcessSpec = {
  run: "serve",
  port: "auto",
  protocol: "http",
  resources: { cpu: null, memoryBytes: null, pids: 512 },
  ready: null,
  alive: null,
};

export function release(
  number: number,
  state: ReleaseState,
  more: { readonly before?: boolean; readonly process?: Partial<ProcessSpec>; readonly processes?: readonly string[] } = {},
): Release {
  const process = { ...plainProcess, ...more.process };
  return {
    number,
    space: "s" as SpaceName,
    app: "a" as AppName,
    spec: {
      artifact: null,
      processes: Object.fromEntries((more.processes ?? ["web"]).map((name) => [name, process])),
      env: {},
      secrets: {},
      needs: {},
      volumes: [],
      before: more.before ? { run: "migrate", timeoutMs: 60_000 } : null,
      stop: { signal: "SIGTERM", drainMs: 10_000, graceMs: 10_000 },
    },
    state,
    failure: state === "failed" ? { code: "RELEASE_FAILED", reason: "it was bad", lines: [], atMs: t0 } : null,
    createdAtMs: t0,
    cause: "push",
  };
}

export function app(more: Partial<App> = {}): App {
  return {
    name: "a" as AppName,
    space: "s" as SpaceName,
    manifest: {},
    manual: { env: {}, instances: {} },
    instances: { [web]: 4 },
    routes: [{ host: "a.s.localhost", path: "/", to: web }],
    deploy: plainDeploy,
    lastRelease: 2,
    target: 2,
    active: 1,
    stopped: false,
    destroying: false,
    restartToken: "",
    servicePorts: {},
    createdAtMs: t0,
    ...more,
  };
}

export function rolloutOf(number: number, more: Partial<Rollout> = {}): Rollout {
  return { release: number, startedAtMs: t0, before: "none", step: 0, stepReadyAtMs: null, heldMs: 0, pausedAtMs: null, ...more };
}

let made = 0;

/** What is alike in all instances here: started at `t0` and running since. */
export const undisturbed = {
  host: "127.0.0.1",
  pid: 1,
  restarts: 0,
  startedAtMs: t0,
  sinceMs: t0,
  exit: null,
  reason: null,
  restartToken: "",
} as const;

export function instance(
  number: number,
  state: InstanceState | "ready",
  more: Partial<ObservedInstance> = {},
  process = web,
): ObservedInstance {
  const id = `s/a/${process}.${number}.${String(made++).padStart(5, "0")}` as InstanceId;
  return {
    id,
    workload: workloadId({ space: "s" as SpaceName, app: "a" as AppName, process, release: number }),
    machine: m1,
    state: state === "ready" ? "running" : state,
    ready: state === "ready",
    ...undisturbed,
    port: 20_000 + made,
    everReady: state === "ready",
    readySinceStart: state === "ready",
    ...more,
  };
}

/** A workload with so many instances in each state: `{ ready: 2, starting: 1 }`. */
export function workload(
  number: number,
  states: Partial<Record<InstanceState | "ready", number>>,
  more: Partial<ObservedWorkload> = {},
): ObservedWorkload {
  const process = more.process ?? web;
  const instances = Object.entries(states).flatMap(([state, count]) =>
    Array.from({ length: count }, () => instance(number, state as InstanceState | "ready", {}, process)),
  );
  return {
    id: workloadId({ space: "s" as SpaceName, app: "a" as AppName, process, release: number }),
    process,
    release: number,
    kind: "service",
    machine: m1,
    isReachable: true,
    revision: 1,
    count: instances.filter((one) => !isLeaving(one)).length,
    mayHave: 0,
    isRemoving: false,
    isCurrent: true,
    reason: null,
    instances,
    ...more,
  };
}

export function input(more: Partial<Omit<RolloutInput, "releases">> & { readonly releases?: readonly Release[] } = {}): RolloutInput {
  const { releases = [release(1, "active"), release(2, "pending")], ...rest } = more;
  return {
    app: app(),
    releases: new Map(releases.map((one) => [one.number, one])),
    rollout: rolloutOf(2),
    observed: [],
    observedSinceMs: t0,
    machines: [room(m1)],
    placement: anywhere,
    held: new Map(),
    unreadyNeeds: [],
    traffic: null,
    nowMs: t0,
    ...rest,
  };
}

/** The orders of a plan, short: `web.2 → 3`, `remove web.1`. */
export function words(plan: RolloutPlan): readonly string[] {
  if (plan.step !== null) return [plan.step.kind];
  return plan.orders.map((order) => {
    if (order.kind === "apply") return `${order.process}.${order.release} → ${order.count}`;
    const [, , process, number] = order.id.split("/");
    return `remove ${process}.${number}`;
  });
}

/** What becomes of the input when the plan was carried out by an agent and a store that do as they are told. Nothing starts or ends yet. */
export function carryOut(before: RolloutInput, plan: RolloutPlan): RolloutInput {
  if (plan.step !== null) return take(before, plan.step);
  const keyOf = (one: Pick<ObservedWorkload, "id" | "machine">) => `${one.machine} ${one.id}`;
  const observed = new Map((before.observed ?? []).map((one) => [keyOf(one), one]));
  for (const order of plan.orders) {
    if (order.kind === "remove") {
      const known = observed.get(keyOf(order));
      if (known !== undefined) observed.set(keyOf(order), shrink({ ...known, isRemoving: true, count: 0 }));
    } else {
      const id = workloadId({ space: "s" as SpaceName, app: "a" as AppName, process: order.process, release: order.release });
      const key = keyOf({ id, machine: order.machine });
      const known =
        observed.get(key) ?? workload(order.release, {}, { process: order.process, kind: order.workload, machine: order.machine });
      observed.set(key, shrink({ ...known, isRemoving: false, isCurrent: true, count: order.count }));
    }
  }
  return { ...before, observed: [...observed.values()] };
}

/** As an agent does: what is not ready goes before what is, the young before the old; what was ready drains. */
function shrink(one: ObservedWorkload): ObservedWorkload {
  if (one.kind === "task") return one;
  const staying = one.instances.filter((inst) => !isLeaving(inst) && inst.state !== "exited");
  const surplus = new Set(
    [...staying]
      .reverse()
      .sort((a, b) => Number(isReady(a)) - Number(isReady(b)))
      .slice(0, Math.max(0, staying.length - one.count)),
  );
  return {
    ...one,
    instances: one.instances.map((inst) =>
      surplus.has(inst) ? { ...inst, state: isReady(inst) ? "draining" : "stopping", ready: false } : inst,
    ),
  };
}

function take(before: RolloutInput, step: Step): RolloutInput {
  const releases = new Map(before.releases);
  const set = (number: number, state: ReleaseState) => {
    const known = releases.get(number);
    if (known !== undefined) releases.set(number, { ...known, state });
  };
  switch (step.kind) {
    case "begin":
      for (const number of step.supersede) set(number, "superseded");
      return { ...before, releases, rollout: step.rollout };
    case "advance":
      return { ...before, rollout: step.rollout };
    case "activate":
      for (const number of step.supersede) set(number, "superseded");
      set(step.release, "active");
      return { ...before, releases, rollout: null, app: { ...before.app, active: step.release } };
    case "fail":
      set(step.release, "failed");
      if (step.fallBackTo === null) return { ...before, releases };
      return { ...before, releases, rollout: null, app: { ...before.app, target: step.fallBackTo } };
    case "end":
      return { ...before, rollout: null };
    case "forget":
      return { ...before, app: { ...before.app, target: null, active: null, destroying: false }, releases: new Map(), rollout: null };
    default:
      return step satisfies never;
  }
}

/** Everything that an agent would do by itself comes to pass: what is missing starts and gets ready, what leaves is gone, commands end well. */
export function settle(before: RolloutInput): RolloutInput {
  const observed = (before.observed ?? []).flatMap((one): ObservedWorkload[] => {
    const staying = one.instances.filter((inst) => !isLeaving(inst) && inst.state !== "exited");
    if (one.isRemoving) return [];
    if (one.process === beforeProcess)
      return [
        {
          ...one,
          instances: [instance(one.release, "exited", { exit: { code: 0, signal: null, outOfMemory: false, atMs: t0 } }, beforeProcess)],
        },
      ];
    const kept = staying.slice(0, one.count).map((inst) => ({
      ...inst,
      state: "running" as const,
      ready: true,
      everReady: true,
      readySinceStart: true,
      exit: null,
      restarts: 0,
    }));
    const missing = Array.from({ length: Math.max(0, one.count - kept.length) }, () =>
      instance(one.release, "ready", { machine: one.machine }, one.process),
    );
    return [{ ...one, instances: [...kept, ...missing] }];
  });
  return { ...before, observed };
}
