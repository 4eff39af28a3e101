import type { InstanceUsageView, MachineUsageView, UsageView } from "#model/api-usage.ts";
import type { Clock } from "#model/clock.ts";
import { type InstanceId, parseWorkloadId, type WorkloadId } from "#model/names.ts";
import type { AgentUsage, InstanceUsage } from "#model/usage.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { askPeers } from "./peer-answers.ts";

/** Drover's own programs are instances of this space, which no user can name. */
const ownSpace = "drover";

/** What machines and instances use: measured by all agents at this moment, each of which has a second for it. */
export async function viewUsage(fleet: Fleet, clock: Clock, signal: AbortSignal): Promise<UsageView> {
  const answers = await askPeers(fleet.agents(), (agent, until) => agent.usage(until), clock, signal);
  const machines: MachineUsageView[] = [];
  const instances: InstanceUsageView[] = [];
  const silent: UsageView["silent"] = [];
  const cores = new Map(fleet.machines().map(({ id, machine }) => [id, machine.cores]));
  for (const answer of answers) {
    const { machine } = answer.peer;
    if (!("answer" in answer)) silent.push({ machine, why: answer.why });
    else if (answer.answer === null) silent.push({ machine, why: "its agent is too old to measure" });
    else {
      const { answer: usage } = answer;
      if (usage.machine !== null)
        machines.push({ machine, atMs: usage.atMs, cores: cores.get(machine) ?? 0, ...usage.machine, programs: programsOf(usage) });
      for (const one of usage.instances) {
        const known = fleet.instance(one.id);
        if (known !== null) instances.push(viewInstance(one, known.workload, machine));
      }
    }
  }
  return { machines, instances, silent };
}

function viewInstance({ id, ...used }: InstanceUsage, workload: WorkloadId, machine: string): InstanceUsageView {
  const { space, app, process, release } = parseWorkloadId(workload);
  return { id, space, app, process, release, machine, ...used };
}

function programsOf({ agent, instances }: AgentUsage): MachineUsageView["programs"] {
  const program = (name: string) => {
    const own = instances.filter(({ id }) => isOwn(id, name));
    if (own.length === 0) return null;
    const sum = (of: "cpuSeconds" | "memoryBytes") => own.reduce((total, one) => total + one[of], 0);
    return { cpuSeconds: sum("cpuSeconds"), memoryBytes: sum("memoryBytes") };
  };
  return { server: program("server"), agent: { ...agent }, edge: program("edge") };
}

function isOwn(id: InstanceId, name: string): boolean {
  return id.startsWith(`${ownSpace}/${name}/`);
}
