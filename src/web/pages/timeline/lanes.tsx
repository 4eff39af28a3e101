import type { Lane, TimelineSpan } from "#model/api-history.ts";
import { dateTime } from "../../parts/format.ts";
import { percent, TimeBox } from "../../parts/time-box.tsx";
import { parameter, setParameters } from "../../state/location.ts";
import type { TimeRange } from "../../state/time-range.ts";
import { layOut } from "./lay-out.ts";
import { outcomeTones, spanText } from "./span-words.ts";

/** Height of a row of a lane, in pixels, as the style sheet has it. */
const rowHeight = 14;

interface LanesProps {
  readonly lanes: readonly { readonly lane: Lane; readonly spans: readonly TimelineSpan[] }[];
  readonly range: TimeRange;
}

/** What happened, side by side on one axis of time. The table below says the same in words. */
export function Lanes({ lanes, range }: LanesProps) {
  const chosen = parameter("event");
  return (
    <div class="lanes">
      <div class="lane-names" aria-hidden="true">
        {lanes.map(({ lane, spans }) => (
          <div key={lane} style={{ height: `${heightOf(layOut(spans, range).rows)}px` }}>
            {lane}
          </div>
        ))}
      </div>
      <TimeBox label={`What happened from ${dateTime(range.fromMs)} to ${dateTime(range.toMs)}`} range={range}>
        {lanes.map(({ lane, spans }) => {
          const { placed, rows, hidden } = layOut(spans, range);
          return (
            <div key={lane} class="lane" style={{ height: `${heightOf(rows)}px` }}>
              {placed.map(({ span, row, from, to }) => (
                // biome-ignore lint/a11y/noStaticElementInteractions: the table below has each of them for the keyboard
                // biome-ignore lint/a11y/useKeyWithClickEvents: as above
                <div
                  key={span.key}
                  class={`span ${outcomeTones[span.outcome]}${String(span.firstEvent) === chosen ? " chosen" : ""}`}
                  title={spanText(span)}
                  style={{ left: percent(from), width: percent(to - from), top: `${row * rowHeight + 3}px` }}
                  onClick={() => setParameters({ event: String(span.firstEvent) })}
                />
              ))}
              {hidden > 0 && <span class="hidden-spans">{hidden} more at once</span>}
            </div>
          );
        })}
      </TimeBox>
    </div>
  );
}

function heightOf(rows: number): number {
  return Math.max(1, rows) * rowHeight + 6;
}
