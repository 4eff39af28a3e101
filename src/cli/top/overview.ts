import type { AppSummary, StatusView } from "#model/api.ts";
import type { RouteView } from "#model/api-routes.ts";
import type { InstanceUsageView, MachineUsageView, UsageView } from "#model/api-usage.ts";
import { busyShare, coresUsed } from "#model/usage-rates.ts";

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
  const [earlier, current] = [before === null ? null : sortLook(before), sortLook(now)];
  return {
    machines: now.status.machines.map(({ id, linked, instances }) => {
      const silence = now.usage.silent.find(({ machine }) => machine === id)?.why ?? null;
      return { name: id, linked, instances, silence, use: machineUse(earlier, current, id) };
    }),
    apps: now.apps.map((app) => appRow(earlier, current, app)),
    problems: now.status.problems.map(({ message }) => message),
  };
}

/** A look with its parts where they are asked for: there may be thousands of each. */
interface SortedLook {
  readonly atMs: number;
  readonly machines: ReadonlyMap<string, MachineUsageView>;
  readonly instances: ReadonlyMap<string, InstanceUsageView>;
  readonly instancesOf: ReadonlyMap<string, readonly InstanceUsageView[]>;
  readonly routesOf: ReadonlyMap<string, readonly RouteView[]>;
}

const appOf = ({ space, app }: { readonly space: string; readonly app: string }) => `${space}/${app}`;

function sortLook({ usage, routes, atMs }: Look): SortedLook {
  return {
    atMs,
    machines: new Map(usage.machines.map((one) => [one.machine, one])),
    instances: new Map(usage.instances.map((one) => [one.id, one])),
    instancesOf: Map.groupBy(usage.instances, appOf),
    routesOf: Map.groupBy(routes, appOf),
  };
}

function machineUse(before: SortedLook | null, now: SortedLook, machine: string): MachineRow["use"] {
  const current = now.machines.get(machine);
  if (current === undefined) return null;
  const earlier = before?.machines.get(machine);
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

function appRow(before: SortedLook | null, now: SortedLook, { space, name, health, ready, wanted }: AppSummary): AppRow {
  const app = appOf({ space, app: name });
  const own = now.instancesOf.get(app) ?? [];
  const traffic = before === null ? null : rateOf(before.routesOf.get(app) ?? [], now.routesOf.get(app) ?? [], now.atMs - before.atMs);
  return {
    name: app,
    health,
    ready,
    wanted,
    cpu: before === null ? null : own.reduce((sum, one) => sum + coresOf(before, now, one), 0),
    memory: own.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    requests: traffic?.requests ?? null,
    errors: traffic?.errors ?? null,
  };
}

/** Nothing for one that is new: it was not looked at twice. */
function coresOf(before: SortedLook, now: SortedLook, current: InstanceUsageView): number {
  const earlier = before.instances.get(current.id);
  const [from, to] = [before.machines.get(current.machine)?.atMs, now.machines.get(current.machine)?.atMs];
  return earlier === undefined || from === undefined || to === undefined ? 0 : coresUsed(earlier, current, to - from);
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
