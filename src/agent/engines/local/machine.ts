import { availableParallelism, hostname, totalmem } from "node:os";
import type { MachineId } from "#model/names.ts";
import type { Machine } from "#model/workload.ts";
import type { CgroupSupport } from "./cgroups.ts";
import type { Users } from "./users.ts";

/** What this machine is, and what isolation holds on it. */
export function describeMachine(id: MachineId, users: Users, gainsPrivileges: boolean, { limits, members, why }: CgroupSupport): Machine {
  const limit = (name: keyof typeof limits, what: string) => {
    const base = limits[name];
    return base === null
      ? { holds: false, how: `no limit on ${what}: ${why}` }
      : { holds: true, how: `control groups, version ${base.version}` };
  };
  return {
    id,
    hostName: hostname(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    isolation: {
      uid: users.isolation,
      privileges: gainsPrivileges
        ? { holds: false, how: "programs such as sudo give apps the rights that they give anybody: Drover was started without setpriv" }
        : { holds: true, how: "no program that an app runs gives it more rights than it has" },
      cpu: limit("cpu", "processor time"),
      memory: limit("memory", "memory"),
      pids: limit("pids", "the number of processes"),
      "group-kill":
        members === null
          ? { holds: false, how: `processes of an instance are found by their session and environment: ${why}` }
          : {
              holds: true,
              how:
                members.version === 2 ? "the kernel ends a whole group at once" : "the kernel lists the group, which is ended one by one",
            },
    },
  };
}
