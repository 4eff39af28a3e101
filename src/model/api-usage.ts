import { z } from "zod";
import { instance } from "./api.ts";

/** The part of the HTTP API that is about what machines and instances use. */

const seconds = z.number();
const bytes = z.number();

export const instanceUsage = instance
  .pick({ id: true, space: true, app: true, process: true, release: true, machine: true })
  .extend({
    cpuSeconds: seconds.meta({
      description: "Since its process was started; the share of a core is the difference of two answers by their time.",
    }),
    memoryBytes: bytes,
    processes: z.int(),
    disk: z
      .object({ readBytes: bytes, writtenBytes: bytes })
      .optional()
      .meta({ description: "From and to disks since its process was started; left out where the kernel does not say." }),
  })
  .meta({ id: "InstanceUsage" });

const use = z.object({ cpuSeconds: seconds, memoryBytes: bytes });

export const machineUsage = z
  .object({
    machine: z.string(),
    atMs: z.number().meta({ description: "When it was measured, by the clock of that machine, in epoch milliseconds." }),
    cores: z.int(),
    cpuSeconds: z
      .object({ user: seconds, system: seconds, wait: seconds, idle: seconds })
      .meta({ description: "Of all cores, since its start." }),
    load1: z.number(),
    memory: z.object({ totalBytes: bytes, availableBytes: bytes }),
    disk: z.object({ totalBytes: bytes, availableBytes: bytes }).meta({ description: "Of the disk that Drover's data are on." }),
    network: z.object({ receivedBytes: bytes, sentBytes: bytes }).meta({ description: "Since its start, without loopback." }),
    pressureSeconds: z
      .object({ cpu: seconds, memory: seconds, io: seconds })
      .nullable()
      .meta({ description: "Time in which something had to wait for it; null where the kernel does not say." }),
    programs: z.object({ server: use.nullable(), agent: use.nullable(), edge: use.nullable() }).meta({ description: "Drover's own." }),
  })
  .meta({ id: "MachineUsage" });

export const usageView = z
  .object({
    machines: z.array(machineUsage),
    instances: z.array(instanceUsage),
    silent: z.array(z.object({ machine: z.string(), why: z.string() })).meta({ description: "Machines that did not say." }),
  })
  .meta({ id: "Usage" });

export type InstanceUsageView = z.output<typeof instanceUsage>;
export type MachineUsageView = z.output<typeof machineUsage>;
export type UsageView = z.output<typeof usageView>;
