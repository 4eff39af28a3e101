import { basename } from "node:path";
import type { Cgroups } from "../engines/local/cgroups.ts";
import { type Confine, confineByProc } from "./confinement.ts";

/**
 * Holds a build by a control group, so that the kernel itself keeps its limits and knows all its processes, and by /proc besides, for what this
 * machine's groups cannot do.
 */
export function confineByCgroup(cgroups: Cgroups): Confine {
  return async (pid, mark, limits) => {
    const group = await cgroups.open(`build-${basename(mark)}`, { cpu: null, memoryBytes: limits.memoryBytes, pids: limits.processes });
    try {
      await group.add(pid);
    } catch (error) {
      await group.remove();
      throw error;
    }
    const byProc = await confineByProc(pid, mark, limits);
    return {
      excess: async () => {
        const memory = await group.memory();
        if (memory !== null && memory.killed > 0) return `more than ${limits.memoryBytes} bytes of memory`;
        return byProc.excess();
      },
      kill: async () => {
        await group.kill();
        await byProc.kill();
      },
      close: () => group.remove(),
    };
  };
}
