import { GraphPanel } from "../../parts/graph/graph-panel.tsx";
import { RangeTools } from "../../parts/range-tools.tsx";
import { nowMs } from "../../state/clock.ts";
import { type FigureQuery, useMetricNames } from "../../state/figures.ts";
import { askedRange, rangeAt } from "../../state/time-range.ts";
import type { TabProps } from "./app-page.tsx";

/** What the app gets, how it does with it, and what it uses, over the same stretch of time. */
export function MetricsTab({ status: { space, name } }: TabProps) {
  const asked = askedRange("1h");
  const names = useMetricNames();
  const match = [`space=${space}`, `app=${name}`];
  const panels: readonly (readonly [title: string, query: FigureQuery])[] = [
    ["Requests by class", { name: "drover_route_requests_total", match, by: "class" }],
    ["Errors by release", { name: "drover_route_errors_total", match, by: "release" }],
    ["Time of answers by release, p95", { name: "drover_route_request_duration_seconds", match, by: "release", quantile: "0.95" }],
    ["Instances ready", { name: "drover_app_instances_ready", match }],
    ["CPU by instance", { name: "drover_instance_cpu_seconds_total", match, by: "instance_id" }],
    ["Memory by instance", { name: "drover_instance_memory_bytes", match, by: "instance_id" }],
    ["Starts again", { name: "drover_instance_restarts_total", match, by: "process", fn: "increase" }],
    ["Answers, in bytes", { name: "drover_route_response_bytes_total", match, by: "route" }],
  ];
  return (
    <>
      <div class="range">
        <RangeTools asked={asked} range={rangeAt(asked, nowMs.value)} />
      </div>
      <div class="graphs">
        {panels.map(([title, query]) => (
          <GraphPanel key={title} title={title} query={query} asked={asked} names={names.value} />
        ))}
      </div>
    </>
  );
}
