import type { AppSummary, StatusView } from "#model/api.ts";
import type { RouteView } from "#model/api-routes.ts";
import type { MachineUsageView, UsageView } from "#model/api-usage.ts";

/** Everything as the server told it at one moment. */
export interface Look {
  readonly status: StatusView;
  readonly usage: UsageView;
  readonly apps: readonly AppSummary[];
  readonly routes: readonly RouteView[];
  /** On a clock that never jumps. */
  readonly atMs: number;
  /** For people. */
  readonly wallMs: number;
}

export interface MachineRow {
  readonly name: string;
  readonly linked: boolean;
  readonly instances: number;
  /** Why it does not say what it uses; null if it does. */
  readonly silence: string | null;
  /** Null for a machine that did not say what it uses. */
  readonly use: {
    /** Share of all cores together, 0 to 1; null until it was looked at twice. */
    readonly cpu: number | null;
    readonly cores: number;
    readonly load1: number;
    readonly memoryUsed: number;
    readonly memoryTotal: number;
    readonly diskFree: number;
  } | null;
}

export interface AppRow {
  readonly name: string;
  readonly health: AppSummary["health"];
  readonly ready: number;
  readonly wanted: number;
  /** In cores: 1.5 is one and a half. Null until it was looked at twice. */
  readonly cpu: number | null;
  readonly memory: number;
  /** Each second; null for an app without routes that carry HTTP, and until it was looked at twice. */
  readonly requests: number | null;
  readonly errors: number | null;
}

/** What `drover top` shows: figures over the time between two looks. */
export interface Overview {
  readonly machines: readonly MachineRow[];
  readonly apps: readonly AppRow[];
  readonly problems: readonly string[];
}

/** @param before an earlier look; null at the first one, which knows no rates */
export function compareLooks(before: Look | null, now: Look): Overview {
  return {
    machines: now.status.machines.map(({ id, linked, instances }) => {
      const silence = now.usage.silent.find(({ machine }) => machine === id)?.why ?? null;
      return { name: id, linked, instances, silence, use: machineUse(before, now, id) };
    }),
    apps: now.apps.map((app) => appRow(before, now, app)),
    problems: now.status.problems.map(({ message }) => message),
  };
}

const usageOf = ({ usage }: Look, machine: string) => usage.machines.find((one) => one.machine === machine);

function machineUse(before: Look | null, now: Look, machine: string): MachineRow["use"] {
  const current = usageOf(now, machine);
  if (current === undefined) return null;
  const earlier = before === null ? undefined : usageOf(before, machine);
  const { cores, load1, memory, disk } = current;
  return {
    cpu: earlier === undefined ? null : busyShare(earlier, current),
    cores,
    load1,
    memoryUsed: memory.totalBytes - memory.availableBytes,
    memoryTotal: memory.totalBytes,
    diskFree: disk.availableBytes,
  };
}

/** Waiting for a disk is not work. Null when the machine was started between the looks, or when no time has passed. */
function busyShare(earlier: MachineUsageView, current: MachineUsageView): number | null {
  const total = ({ cpuSeconds: { user, system, wait, idle } }: MachineUsageView) => user + system + wait + idle;
  const busy = ({ cpuSeconds: { user, system } }: MachineUsageView) => user + system;
  const passed = total(current) - total(earlier);
  return passed <= 0 ? null : Math.min(1, Math.max(0, busy(current) - busy(earlier)) / passed);
}

function appRow(before: Look | null, now: Look, { space, name, health, ready, wanted }: AppSummary): AppRow {
  const isOwn = (one: { readonly space: string; readonly app: string }) => one.space === space && one.app === name;
  const own = now.usage.instances.filter(isOwn);
  const traffic = before === null ? null : rateOf(before.routes.filter(isOwn), now.routes.filter(isOwn), now.atMs - before.atMs);
  return {
    name: `${space}/${name}`,
    health,
    ready,
    wanted,
    cpu: before === null ? null : own.reduce((sum, one) => sum + coresOf(before, now, one), 0),
    memory: own.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    requests: traffic?.requests ?? null,
    errors: traffic?.errors ?? null,
  };
}

/** An instance that was started again between the looks counts from zero; one that is new was not looked at twice. */
function coresOf(before: Look, now: Look, { id, machine, cpuSeconds }: UsageView["instances"][number]): number {
  const earlier = before.usage.instances.find((one) => one.id === id);
  const [from, to] = [usageOf(before, machine)?.atMs, usageOf(now, machine)?.atMs];
  if (earlier === undefined || from === undefined || to === undefined || to <= from) return 0;
  const used = cpuSeconds >= earlier.cpuSeconds ? cpuSeconds - earlier.cpuSeconds : cpuSeconds;
  return used / ((to - from) / 1_000);
}

function rateOf(before: readonly RouteView[], now: readonly RouteView[], passedMs: number): { requests: number; errors: number } | null {
  const isCounted = ({ kind, traffic }: RouteView) => kind === "http" && traffic !== null;
  const counted = now.filter(isCounted);
  if (counted.length === 0 || passedMs <= 0) return null;
  const earlier = new Map(before.map((route) => [route.id, route.traffic]));
  const grown = (of: "requests" | "errors") =>
    counted.reduce((sum, { id, traffic }) => {
      const [from, to] = [earlier.get(id)?.[of] ?? 0, traffic?.[of] ?? 0];
      // An edge that was replaced counts from zero.
      return sum + (to >= from ? to - from : to);
    }, 0);
  return { requests: grown("requests") / (passedMs / 1_000), errors: grown("errors") / (passedMs / 1_000) };
}
