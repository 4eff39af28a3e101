import { GraphPanel } from "../../parts/graph/graph-panel.tsx";
import { RangeTools } from "../../parts/range-tools.tsx";
import { Section } from "../../parts/section.tsx";
import { nowMs } from "../../state/clock.ts";
import { type FigureQuery, useMetricNames } from "../../state/figures.ts";
import { askedRange, rangeAt } from "../../state/time-range.ts";

/** What a machine used over time. */
export function MachineGraphs({ machine }: { readonly machine: string }) {
  const asked = askedRange("1h");
  const names = useMetricNames();
  const match = [`machine=${machine}`];
  const panels: readonly (readonly [title: string, query: FigureQuery])[] = [
    ["CPU", { name: "drover_machine_cpu_seconds_total", match: [...match, "mode!=idle"], by: "mode" }],
    ["Memory available", { name: "drover_machine_memory_available_bytes", match }],
    ["Received", { name: "drover_machine_network_received_bytes_total", match }],
    ["Sent", { name: "drover_machine_network_sent_bytes_total", match }],
    ["Had to wait", { name: "drover_machine_pressure_seconds_total", match, by: "resource" }],
    ["Disk free", { name: "drover_machine_disk_available_bytes", match }],
  ];
  return (
    <Section title="Over time" tools={<RangeTools asked={asked} range={rangeAt(asked, nowMs.value)} />}>
      <div class="graphs">
        {panels.map(([title, query]) => (
          <GraphPanel key={title} title={title} query={query} asked={asked} names={names.value} />
        ))}
      </div>
    </Section>
  );
}
