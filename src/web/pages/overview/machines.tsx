import type { StatusView } from "#model/api.ts";
import { Age } from "../../parts/age.tsx";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { Section } from "../../parts/section.tsx";
import { MachineState, State } from "../../parts/state.tsx";
import { machinePath } from "../../state/location.ts";

/** Machines that are named here, those in trouble first: the page of the machines has them all. */
const shownMachines = 8;

/** Machines, edges and the server itself. */
export function Machines({ status }: { readonly status: StatusView | null }) {
  if (status === null) return null;
  const machines = status.machines.toSorted((a, b) => Number(a.linked) - Number(b.linked));
  return (
    <Section title="Machines" note={String(machines.length)} command="drover machine ls">
      <ul class="lines">
        {machines.slice(0, shownMachines).map((machine) => {
          const missing = Object.entries(machine.isolation).filter(([, { holds }]) => !holds);
          const edge = status.edges.find(({ machine: of }) => of === machine.id);
          return (
            <li key={machine.id}>
              <MachineState machine={machine} />
              <Link to={machinePath(machine.id)}>{machine.id}</Link>
              <span class="muted">
                {count(machine.cores, "core")}, {(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, {count(machine.instances, "instance")}
                {edge === undefined ? "" : edge.linked ? ", edge linked" : ", edge not linked"}
              </span>
              {missing.length > 0 && (
                <span class="muted" title={missing.map(([name, { how }]) => `${name}: ${how}`).join("\n")}>
                  without isolation of {missing.map(([name]) => name).join(", ")}
                </span>
              )}
            </li>
          );
        })}
        {machines.length > shownMachines && (
          <li>
            <Link to="/machines">and {machines.length - shownMachines} more</Link>
          </li>
        )}
        <li>
          <State tone="good" word="server" />
          <span class="muted">
            Drover {status.version.version}, up for <Age atMs={status.startedAtMs} />, API at {status.addresses.api}, edge at{" "}
            {status.addresses.edge}
          </span>
        </li>
      </ul>
    </Section>
  );
}
