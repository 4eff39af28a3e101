import type { InstanceUsage, MachineUsage } from "./usage.ts";

/** Figures over the time between two looks at what grows. */

/** Share of all cores that worked, 0 to 1. Waiting for a disk is not work. Null when the machine was started between the looks, or when no time has passed. */
export function busyShare(earlier: Pick<MachineUsage, "cpuSeconds">, current: Pick<MachineUsage, "cpuSeconds">): number | null {
  const total = ({ cpuSeconds: { user, system, wait, idle } }: Pick<MachineUsage, "cpuSeconds">) => user + system + wait + idle;
  const busy = ({ cpuSeconds: { user, system } }: Pick<MachineUsage, "cpuSeconds">) => user + system;
  const passed = total(current) - total(earlier);
  return passed <= 0 ? null : Math.min(1, Math.max(0, busy(current) - busy(earlier)) / passed);
}

/** Cores that an instance used. One that was started again between the looks counts from zero. */
export function coresUsed(
  earlier: Pick<InstanceUsage, "cpuSeconds">,
  current: Pick<InstanceUsage, "cpuSeconds">,
  passedMs: number,
): number {
  const used = current.cpuSeconds >= earlier.cpuSeconds ? current.cpuSeconds - earlier.cpuSeconds : current.cpuSeconds;
  return passedMs <= 0 ? 0 : used / (passedMs / 1_000);
}
