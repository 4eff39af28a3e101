import { useState } from "preact/hooks";
import type { MetricAnswer } from "#model/api-metrics.ts";
import { dateTime, timeOfDay } from "../format.ts";
import { percent, TimeBox } from "../time-box.tsx";
import { visibleText } from "../visible-text.ts";
import { figureText, unitOf } from "./figure-words.ts";
import { axisEnd, drawing, lineOf, tellingLabels } from "./graph-lines.ts";

/** Lines that can be told apart; the style sheet has a colour for each. */
const mostLines = 8;

interface GraphProps {
  readonly label: string;
  readonly answer: MetricAnswer;
  readonly isLarge?: boolean;
}

/** A metric over time: a line for each series, and a table with the figures of each, at the end or where somebody points. */
export function Graph({ label, answer, isLarge = false }: GraphProps) {
  const [pointed, setPointed] = useState<number | null>(null);
  const [only, setOnly] = useState<number | null>(null);
  const { name, fn, by, series, fromMs, toMs, stepMs, leftOut } = answer;
  const drawn = series.slice(0, mostLines);
  const unit = unitOf(name, fn);
  const shown = drawn.filter((_, i) => only === null || only === i);
  const most = Math.max(0, ...shown.flatMap(({ values }) => values.filter((value) => value !== null)));
  const end = axisEnd(most, unit.unit === "bytes");
  const points = series[0]?.values.length ?? 0;
  const index = pointed === null ? null : Math.round(pointed * Math.max(0, points - 1));
  const telling = tellingLabels(series);
  const labels = telling.length > 0 ? telling : by;
  const more = series.length - drawn.length + leftOut;
  if (points === 0) return <p class="nothing">No figures in this time.</p>;
  return (
    <div class={isLarge ? "graph large" : "graph"}>
      <TimeBox
        label={`${label} from ${dateTime(fromMs)} to ${dateTime(toMs)}`}
        range={{ fromMs, toMs: Math.max(toMs, fromMs + stepMs) }}
        onPoint={setPointed}
      >
        <svg viewBox={`0 0 ${drawing.width} ${drawing.height}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="grid" d={`M0 ${drawing.height / 2}H${drawing.width}M0 ${drawing.height}H${drawing.width}M0 0H${drawing.width}`} />
          {drawn.map(({ labels, values }, i) => (
            <path key={JSON.stringify(labels)} class={`line c${i}${only !== null && only !== i ? " faint" : ""}`} d={lineOf(values, end)} />
          ))}
        </svg>
        <span class="axis" aria-hidden="true">
          {figureText(end, unit)}
        </span>
        {index !== null && <span class="pointer" style={{ left: percent(points < 2 ? 0 : index / (points - 1)) }} aria-hidden="true" />}
      </TimeBox>
      <table class="legend" aria-label={`Figures of ${label}`}>
        <thead>
          <tr>
            <th scope="col" class="wide">
              {index === null ? "series" : timeOfDay(fromMs + index * stepMs)}
            </th>
            <th scope="col" class="number minor">
              least
            </th>
            <th scope="col" class="number minor">
              most
            </th>
            <th scope="col" class="number">
              {index === null ? "now" : "then"}
            </th>
          </tr>
        </thead>
        <tbody>
          {drawn.map(({ labels: own, values }, i) => {
            const known = values.filter((value) => value !== null);
            return (
              <tr key={JSON.stringify(own)}>
                <td class="wide">
                  <button
                    type="button"
                    class={`series c${i}`}
                    aria-pressed={only === i}
                    title="Only this one, or all again"
                    onClick={() => setOnly(only === i ? null : i)}
                  >
                    <span aria-hidden="true">━</span> {seriesText(own, labels, label)}
                  </button>
                </td>
                <td class="number minor">{figureText(known.length === 0 ? null : Math.min(...known), unit)}</td>
                <td class="number minor">{figureText(known.length === 0 ? null : Math.max(...known), unit)}</td>
                <td class="number">{figureText(index === null ? known.at(-1) : values[index], unit)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {more > 0 && <p class="muted">and {more} smaller ones</p>}
    </div>
  );
}

function seriesText(own: Readonly<Record<string, string>>, labels: readonly string[], otherwise: string): string {
  const text = labels.map((label) => (labels.length === 1 ? (own[label] ?? "") : `${label}=${own[label] ?? ""}`)).join(" ");
  return visibleText(text.trim() === "" ? otherwise : text);
}
