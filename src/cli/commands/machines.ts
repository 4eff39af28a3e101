import type { MachineView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { Verb } from "../command.ts";
import { styled } from "../output/style.ts";
import { count } from "../output/time.ts";

export default {
  async run(session) {
    const { api, out, signal } = session;
    const { machines } = await api.call<{ machines: MachineView[] }>("GET", apiPath(["machines"]), signal);
    if (out.json) {
      out.value({ machines });
      return 0;
    }
    for (const machine of machines) for (const line of describeMachine(machine)) out.line(line);
    return 0;
  },
} satisfies Verb;

/** What it has, and what holds on it: lines for people. */
export function describeMachine(machine: MachineView): string[] {
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    `${styled("bold", machine.id)}  ${count(machine.cores, "core")}, ${memory}, ${count(machine.instances, "instance")}${machine.linked ? "" : ", its agent does not answer"}`,
    ...Object.entries(machine.isolation).map(
      ([name, { holds, how }]) => `  ${name.padEnd(11)} ${holds ? "holds" : "does not hold"}: ${how}`,
    ),
  ];
}
