import { readFile, statfs } from "node:fs/promises";
import { hasCode } from "#model/errors.ts";
import type { MachineUsage } from "#model/usage.ts";
import { ticksPerSecond } from "./proc.ts";

/** What this machine uses now. @param folder on the disk that is asked for */
export async function measureMachine(folder: string): Promise<MachineUsage> {
  const [stat, loadavg, meminfo, netdev, disk, pressures] = await Promise.all([
    readFile("/proc/stat", "utf8"),
    readFile("/proc/loadavg", "utf8"),
    readFile("/proc/meminfo", "utf8"),
    readFile("/proc/net/dev", "utf8"),
    statfs(folder),
    Promise.all((["cpu", "memory", "io"] as const).map(readPressure)),
  ]);
  const [cpu, memory, io] = pressures;
  return {
    cpuSeconds: parseCpu(stat),
    load1: Number(loadavg.split(" ")[0]),
    memory: parseMemory(meminfo),
    disk: { totalBytes: disk.blocks * disk.bsize, availableBytes: disk.bavail * disk.bsize },
    network: parseNetwork(netdev),
    pressureSeconds: cpu == null || memory == null || io == null ? null : { cpu, memory, io },
  };
}

/** The first line of /proc/stat: ticks of user, nice, system, idle, iowait, irq, softirq and steal (proc_stat(5)). */
export function parseCpu(text: string): MachineUsage["cpuSeconds"] {
  const ticks = (text.split("\n")[0] ?? "").trim().split(/\s+/).slice(1).map(Number);
  const seconds = (...at: number[]) => at.reduce((sum, index) => sum + (ticks[index] ?? 0), 0) / ticksPerSecond;
  return { user: seconds(0, 1), system: seconds(2, 5, 6, 7), wait: seconds(4), idle: seconds(3) };
}

/** Kernels before 3.14 have no estimate of what is available; there what is free is all that is known. */
export function parseMemory(text: string): MachineUsage["memory"] {
  const bytes = (name: string) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    return found === undefined ? null : Number(found) * 1_024;
  };
  return { totalBytes: bytes("MemTotal") ?? 0, availableBytes: bytes("MemAvailable") ?? bytes("MemFree") ?? 0 };
}

/** Lines of /proc/net/dev: interface, then eight columns received and eight sent, bytes first. */
export function parseNetwork(text: string): MachineUsage["network"] {
  let [receivedBytes, sentBytes] = [0, 0];
  for (const line of text.split("\n").slice(2)) {
    const [name = "", rest = ""] = line.split(":");
    if (name.trim() === "lo" || rest === "") continue;
    const columns = rest.trim().split(/\s+/).map(Number);
    receivedBytes += columns[0] ?? 0;
    sentBytes += columns[8] ?? 0;
  }
  return { receivedBytes, sentBytes };
}

async function readPressure(of: "cpu" | "memory" | "io"): Promise<number | null> {
  try {
    return parsePressure(await readFile(`/proc/pressure/${of}`, "utf8"));
  } catch (error) {
    // Not compiled in, or switched off at boot.
    if (hasCode(error, "ENOENT") || hasCode(error, "EOPNOTSUPP")) return null;
    throw error;
  }
}

/** `some … total=MICROSECONDS`, https://docs.kernel.org/accounting/psi.html */
export function parsePressure(text: string): number | null {
  const total = /^some .*\btotal=(\d+)$/m.exec(text)?.[1];
  return total === undefined ? null : Number(total) / 1e6;
}
