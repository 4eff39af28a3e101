import { useEffect, useRef } from "preact/hooks";
import type { MachineList } from "#model/api-machines.ts";
import type { PoolView } from "#model/api-pools.ts";
import type { InstanceUsageView, MachineUsageView, UsageView } from "#model/api-usage.ts";
import { busyShare, coresUsed } from "#model/usage-rates.ts";
import { apiPath, call } from "../api/client.ts";
import { type Loaded, useLoad } from "./use.ts";

/** What runs comes and goes without an event of its machine. */
const machinesMs = 5_000;
/** Each look has every agent measure. */
const usageMs = 5_000;
/** Until there are two looks there are no rates; nobody wants to wait for the first as long as for the others. */
const firstUsageMs = 1_000;

export function useMachines(): Loaded<MachineList> {
  return useLoad("machines", (signal) => call<MachineList>("GET", apiPath(["machines"]), { signal }), {
    everyMs: machinesMs,
    wakes: ({ kind }) => /^(agent|machine|edge)\./.test(kind),
  });
}

/** The pools of the spaces. @param spaces undefined while they are not known */
export function usePools(spaces: readonly string[] | undefined): Loaded<readonly PoolView[]> {
  return useLoad(
    `pools ${spaces?.join(" ") ?? ""}`,
    async (signal) => {
      const found = await Promise.all(
        (spaces ?? []).map((space) => call<{ pools: PoolView[] }>("GET", apiPath(["spaces", space, "pools"]), { signal })),
      );
      return found.flatMap(({ pools }) => pools);
    },
    { everyMs: machinesMs, wakes: ({ kind }) => /^(check|escalation|ladder|space|pool|machine|agent)\./.test(kind) },
  );
}

export interface MachineUse extends MachineUsageView {
  /** Share of all cores together, 0 to 1; null until it was looked at twice. */
  readonly busy: number | null;
  /** Since the look before: bytes each second, and shares of the time, 0 to 1, in which something had to wait; null until it was looked at twice. */
  readonly rates: { readonly received: number; readonly sent: number; readonly waiting: MachineUsageView["pressureSeconds"] } | null;
}

export interface InstanceUse extends InstanceUsageView {
  /** Cores; null until it was looked at twice. */
  readonly used: number | null;
}

export interface Use {
  readonly machines: ReadonlyMap<string, MachineUse>;
  readonly instances: ReadonlyMap<string, InstanceUse>;
  /** Machines that did not say, and why. */
  readonly silent: ReadonlyMap<string, string>;
}

/** What machines and instances use, over the time since the look before. */
export function useUse(): Loaded<Use> {
  const before = useRef<UsageView | null>(null);
  const loaded = useLoad(
    "usage",
    async (signal) => {
      const now = await call<UsageView>("GET", apiPath(["usage"]), { signal });
      const use = compareUse(before.current, now);
      before.current = now;
      return use;
    },
    { everyMs: usageMs },
  );
  useEffect(() => {
    const timer = setTimeout(loaded.reload, firstUsageMs);
    return () => clearTimeout(timer);
  }, []);
  return loaded;
}

function compareUse(before: UsageView | null, now: UsageView): Use {
  const machines = new Map(before?.machines.map((one) => [one.machine, one]));
  const instances = new Map(before?.instances.map((one) => [one.id, one]));
  const passed = new Map(now.machines.map(({ machine, atMs }) => [machine, atMs - (machines.get(machine)?.atMs ?? atMs)]));
  return {
    machines: new Map(now.machines.map((one) => [one.machine, machineUse(machines.get(one.machine), one)])),
    instances: new Map(
      now.instances.map((one) => {
        const [earlier, passedMs = 0] = [instances.get(one.id), passed.get(one.machine)];
        return [one.id, { ...one, used: earlier === undefined || passedMs <= 0 ? null : coresUsed(earlier, one, passedMs) }];
      }),
    ),
    silent: new Map(now.silent.map(({ machine, why }) => [machine, why])),
  };
}

function machineUse(earlier: MachineUsageView | undefined, now: MachineUsageView): MachineUse {
  if (earlier === undefined || now.atMs <= earlier.atMs) return { ...now, busy: null, rates: null };
  const seconds = (now.atMs - earlier.atMs) / 1_000;
  // A machine that was started again counts from zero.
  const rate = (from: number, to: number) => Math.max(0, to - from) / seconds;
  const [before, after] = [earlier.pressureSeconds, now.pressureSeconds];
  const waiting =
    before === null || after === null
      ? null
      : { cpu: rate(before.cpu, after.cpu), memory: rate(before.memory, after.memory), io: rate(before.io, after.io) };
  return {
    ...now,
    busy: busyShare(earlier, now),
    rates: {
      waiting,
      received: rate(earlier.network.receivedBytes, now.network.receivedBytes),
      sent: rate(earlier.network.sentBytes, now.network.sentBytes),
    },
  };
}
