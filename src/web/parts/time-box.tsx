import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { setParameters } from "../state/location.ts";
import { showRange, type TimeRange } from "../state/time-range.ts";
import { ticksOf } from "./time-axis.ts";

interface TimeBoxProps {
  /** What is drawn, in words. */
  readonly label: string;
  readonly range: TimeRange;
  readonly children: ComponentChildren;
  /** Where somebody points, 0 to 1; null: nowhere. */
  readonly onPoint?: (at: number | null) => void;
}

/** Shorter than this, in pixels, it was a click. */
const leastDrag = 6;
const mostTicks = 8;

/** A drawing whose width is a stretch of time: dragging over a part of it shows that part; arrows move it, plus and minus zoom. */
export function TimeBox({ label, range, children, onPoint }: TimeBoxProps) {
  const box = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ readonly from: number; readonly to: number } | null>(null);
  const shareAt = ({ clientX }: PointerEvent) => {
    const { left = 0, width = 1 } = box.current?.getBoundingClientRect() ?? {};
    return Math.min(1, Math.max(0, (clientX - left) / width));
  };
  const { fromMs, toMs } = range;
  const long = toMs - fromMs;
  const onKey = (event: KeyboardEvent) => {
    const next = moved(event.key, range);
    if (next === null) return;
    event.preventDefault();
    if (next === "now") setParameters({ from: "", to: "" });
    else showRange(next);
  };
  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const at = shareAt(event);
    setDrag({ from: at, to: at });
  };
  const onMove = (event: PointerEvent) => {
    const at = shareAt(event);
    onPoint?.(at);
    if (drag === null) return;
    // Only now: a click on something in it has to reach that.
    if (box.current?.hasPointerCapture(event.pointerId) === false) box.current.setPointerCapture(event.pointerId);
    setDrag({ from: drag.from, to: at });
  };
  const onUp = () => {
    if (drag === null) return;
    setDrag(null);
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if ((to - from) * (box.current?.clientWidth ?? 0) >= leastDrag) showRange({ fromMs: fromMs + from * long, toMs: fromMs + to * long });
  };
  return (
    <div
      ref={box}
      class="time-box"
      role="application"
      aria-label={`${label}. Arrows move it in time, plus and minus zoom, 0 goes back to now.`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys
      tabIndex={0}
      onKeyDown={onKey}
      onPointerDown={onDown}
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={() => setDrag(null)}
      onPointerLeave={() => onPoint?.(null)}
    >
      <div class="ticks" aria-hidden="true">
        {ticksOf(fromMs, toMs, mostTicks).map(({ at, text }) => (
          <span key={at} style={{ left: percent(at) }}>
            {text}
          </span>
        ))}
      </div>
      {children}
      {drag !== null && (
        <div
          class="drag"
          style={{ left: percent(Math.min(drag.from, drag.to)), width: percent(Math.abs(drag.to - drag.from)) }}
          aria-hidden="true"
        />
      )}
    </div>
  );
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}

/** Where a key leads to; null: nowhere. */
function moved(key: string, { fromMs, toMs }: TimeRange): TimeRange | "now" | null {
  const quarter = (toMs - fromMs) / 4;
  switch (key) {
    case "ArrowLeft":
      return { fromMs: fromMs - quarter, toMs: toMs - quarter };
    case "ArrowRight":
      return { fromMs: fromMs + quarter, toMs: toMs + quarter };
    case "+":
    case "=":
      return { fromMs: fromMs + quarter, toMs: toMs - quarter };
    case "-":
      return { fromMs: fromMs - 2 * quarter, toMs: toMs + 2 * quarter };
    case "0":
      return "now";
    default:
      return null;
  }
}
