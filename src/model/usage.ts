import type { InstanceId } from "./names.ts";

/** What the processes of one instance use. */
export interface InstanceUsage {
  readonly id: InstanceId;
  /** Processor time since the instance's process was started, in seconds. Starts at zero again with the next one. */
  readonly cpuSeconds: number;
  /** Memory that its processes hold, shared pages counted once for each of them. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** Bytes from and to disks, counted as `cpuSeconds` is; left out where the kernel does not say. */
  readonly disk?: { readonly readBytes: number; readonly writtenBytes: number };
}

/** What a machine as a whole uses, since it was started where it is a sum. */
export interface MachineUsage {
  /** Of all cores together. */
  readonly cpuSeconds: { readonly user: number; readonly system: number; readonly wait: number; readonly idle: number };
  /** Processes that ran or waited for a processor or a disk, on average over the last minute. */
  readonly load1: number;
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  /** Of the disk that Drover's data are on. */
  readonly disk: { readonly totalBytes: number; readonly availableBytes: number };
  /** Of all interfaces but loopback. */
  readonly network: { readonly receivedBytes: number; readonly sentBytes: number };
  /** Seconds in which some process had to wait for it; null where the kernel does not say (CONFIG_PSI). */
  readonly pressureSeconds: { readonly cpu: number; readonly memory: number; readonly io: number } | null;
}

/** What an agent measured at one moment. */
export interface Usage {
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Null where the engine has no machine of its own. */
  readonly machine: MachineUsage | null;
  /** Those that have processes, in no order. */
  readonly instances: readonly InstanceUsage[];
}

/** The same with what the agent itself uses. */
export interface AgentUsage extends Usage {
  readonly agent: { readonly cpuSeconds: number; readonly memoryBytes: number };
}
