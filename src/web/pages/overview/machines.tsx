import type { StatusView } from "#model/api.ts";
import { Age } from "../../parts/age.tsx";
import { count } from "../../parts/format.ts";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";

/** Machines, edges and the server itself. */
export function Machines({ status }: { readonly status: StatusView | null }) {
  if (status === null) return null;
  return (
    <Section title="Machines" note={String(status.machines.length)} command="drover machine ls">
      <ul class="lines">
        {status.machines.map((machine) => {
          const missing = Object.entries(machine.isolation).filter(([, { holds }]) => !holds);
          const edge = status.edges.find(({ machine: of }) => of === machine.id);
          return (
            <li key={machine.id}>
              <State tone={machine.linked ? "good" : "bad"} word={machine.linked ? "linked" : "silent"} />
              <span class="mono">{machine.hostName}</span>
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
