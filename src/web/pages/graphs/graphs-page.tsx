import { useEffect } from "preact/hooks";
import type { MetricLabelsView, MetricNameView } from "#model/api-metrics.ts";
import { apiPath, call } from "../../api/client.ts";
import { ChoiceFilter } from "../../parts/filters.tsx";
import { Graph } from "../../parts/graph/graph.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { RangeTools } from "../../parts/range-tools.tsx";
import { Section } from "../../parts/section.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { nowMs } from "../../state/clock.ts";
import { type FigureQuery, figureCommand, useFigure, useMetricNames } from "../../state/figures.ts";
import { parameter, parameters, setParameterList, setParameters, space } from "../../state/location.ts";
import { askedRange, rangeAt } from "../../state/time-range.ts";
import { useLoad } from "../../state/use.ts";
import { MetricTable } from "./metric-table.tsx";

/** Any metric over time, by any of its labels. What is asked is in the address. */
export function GraphsPage() {
  const asked = askedRange("1h");
  const name = parameter("name");
  const names = useMetricNames();
  const metric = names.value?.find((one) => one.name === name);
  const match = [...(space.value === null ? [] : [`space=${space.value}`]), ...parameters("match")];
  const query: FigureQuery | null =
    name === ""
      ? null
      : {
          name,
          match,
          fn: parameter("fn") || undefined,
          aggregate: parameter("aggregate") || undefined,
          by: parameter("by") || undefined,
          quantile: parameter("quantile") || undefined,
        };
  const { value, error } = useFigure(query, asked);
  useEffect(() => {
    document.title = `${name === "" ? "Metrics" : name} – Drover`;
  }, [name]);
  return (
    <>
      <h1 class="unseen">Metrics</h1>
      <ErrorNotice error={names.error} />
      {query !== null && (
        <Section
          title={name}
          note={visibleText(metric?.help ?? "")}
          command={figureCommand(query, asked)}
          tools={<RangeTools asked={asked} range={rangeAt(asked, nowMs.value)} />}
        >
          <Question metric={metric} name={name} match={match} />
          <ErrorNotice error={error} />
          {value !== null && <Graph label={name} answer={value} isLarge />}
        </Section>
      )}
      {names.value !== null && names.value.length === 0 && (
        <Nothing>Nothing was measured yet; the first figures come within 15 seconds.</Nothing>
      )}
      {names.value !== null && names.value.length > 0 && <MetricTable metrics={names.value} />}
    </>
  );
}

const functions = {
  counter: ["rate", "increase"],
  gauge: ["avg", "max", "min", "last"],
  histogram: ["quantile"],
} as const;

interface QuestionProps {
  readonly metric: MetricNameView | undefined;
  readonly name: string;
  readonly match: readonly string[];
}

/** What of the metric is asked: which series, what becomes one, and what a point says. */
function Question({ metric, name, match }: QuestionProps) {
  const { value } = useLoad(`${name} ${match.join(" ")}`, (signal) =>
    call<MetricLabelsView>("GET", apiPath(["metrics", "labels"], { name, match }), { signal }),
  );
  const labels = Object.entries(value?.labels ?? {});
  const by = parameter("by").split(",").filter(Boolean);
  const chosen = parameters("match");
  const add = (text: string) => text !== "" && !chosen.includes(text) && setParameterList("match", [...chosen, text]);
  const toggle = (label: string) =>
    setParameters({ by: (by.includes(label) ? by.filter((one) => one !== label) : [...by, label]).join(",") });
  const choices = (all: readonly string[], usual: string) => [["", usual] as const, ...all.map((one) => [one, one] as const)];
  return (
    <div class="question">
      <select aria-label="Only series with" value="" onChange={(event) => add(event.currentTarget.value)}>
        <option value="">only with…</option>
        {labels.map(([label, values]) => (
          <optgroup key={label} label={label}>
            {values.map((one) => (
              <option key={one} value={`${label}=${one}`}>
                {visibleText(`${label}=${one}`)}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      {chosen.map((one) => (
        <button
          key={one}
          type="button"
          class="mono"
          title="Take this condition away"
          onClick={() =>
            setParameterList(
              "match",
              chosen.filter((other) => other !== one),
            )
          }
        >
          {visibleText(one)} ✕
        </button>
      ))}
      <fieldset class="switches">
        <legend>a line for each</legend>
        {labels.map(([label]) => (
          <label key={label}>
            <input type="checkbox" checked={by.includes(label)} onChange={() => toggle(label)} />
            {label}
          </label>
        ))}
      </fieldset>
      <ChoiceFilter
        label="What a point says"
        name="fn"
        value={parameter("fn")}
        choices={choices(metric === undefined ? [] : functions[metric.type], "as usual")}
      />
      <ChoiceFilter
        label="How series become one"
        name="aggregate"
        value={parameter("aggregate")}
        choices={choices(["sum", "avg", "max", "min"], "summed")}
      />
      {metric?.type === "histogram" && (
        <ChoiceFilter
          label="Quantile"
          name="quantile"
          value={parameter("quantile")}
          choices={choices(["0.5", "0.9", "0.99", "0.999"], "0.95")}
        />
      )}
    </div>
  );
}
