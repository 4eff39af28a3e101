import { type AskedRange, showLast, showRange, spans, type TimeRange } from "../state/time-range.ts";
import { dateTime } from "./format.ts";

interface RangeToolsProps {
  readonly asked: AskedRange;
  /** What is shown. */
  readonly range: TimeRange;
}

/** Which stretch of time a page shows: the last so long, or one that stays. */
export function RangeTools({ asked, range: { fromMs, toMs } }: RangeToolsProps) {
  const step = (toMs - fromMs) / 2;
  return (
    <span class="actions">
      <select
        aria-label="Time"
        value={asked.fixed === null ? asked.lastName : ""}
        onChange={(event) => showLast(event.currentTarget.value)}
      >
        {asked.fixed !== null && (
          <option value="">
            {dateTime(fromMs)} to {dateTime(toMs)}
          </option>
        )}
        {spans.map(([name]) => (
          <option key={name} value={name}>
            last {name}
          </option>
        ))}
      </select>
      <button type="button" aria-label="Earlier" title="Earlier" onClick={() => showRange({ fromMs: fromMs - step, toMs: toMs - step })}>
        ‹
      </button>
      <button
        type="button"
        aria-label="Later"
        title={asked.fixed === null ? "It ends now." : "Later"}
        disabled={asked.fixed === null}
        onClick={() => showRange({ fromMs: fromMs + step, toMs: toMs + step })}
      >
        ›
      </button>
      <button type="button" aria-label="Zoom out" title="Zoom out" onClick={() => showRange({ fromMs: fromMs - step, toMs: toMs + step })}>
        −
      </button>
      <button
        type="button"
        aria-label="Zoom in"
        title="Zoom in"
        onClick={() => showRange({ fromMs: fromMs + step / 2, toMs: toMs - step / 2 })}
      >
        +
      </button>
    </span>
  );
}
