import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { shortInstanceId } from "#model/names.ts";
import { timeOfDay } from "../../parts/format.ts";
import { visibleText } from "../../parts/visible-text.ts";

export interface LogLine {
  readonly instance: string;
  readonly atMs: number;
  readonly sequence: number;
  readonly text: string;
  readonly source: "app" | "drover";
}

/** Height of a line in pixels, as the style sheet has it. */
const lineHeight = 18;
const overscan = 30;

/** Lines of output of which only those that can be seen are in the page. It stays at the end while one is there. */
export function LogLines({ lines }: { readonly lines: readonly LogLine[] }) {
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (box.current !== null && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const onScroll = () => {
    if (box.current === null) return;
    const { scrollTop, clientHeight, scrollHeight } = box.current;
    isAtEnd.current = scrollTop + clientHeight >= scrollHeight - lineHeight;
    setTop(Math.floor(scrollTop / lineHeight / 10) * 10);
  };
  const height = box.current?.clientHeight ?? 800;
  const from = Math.max(0, Math.min(top, lines.length - Math.ceil(height / lineHeight)) - overscan);
  const shown = lines.slice(from, from + Math.ceil(height / lineHeight) + 2 * overscan);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <div ref={box} class="log" role="log" aria-label="Output" aria-live="off" tabIndex={0} onScroll={onScroll}>
      <div style={{ height: `${lines.length * lineHeight}px` }}>
        <div style={{ transform: `translateY(${from * lineHeight}px)` }}>
          {shown.map((line) => (
            <div key={`${line.instance} ${line.sequence}`} class={line.source === "drover" ? "warn" : undefined}>
              <time>{timeOfDay(line.atMs)}</time> <span class="muted">{shortInstanceId(line.instance)}</span>{" "}
              {line.source === "drover" ? "[drover] " : ""}
              {visibleText(line.text)}
            </div>
          ))}
        </div>
      </div>
      {lines.length === 0 && <p class="nothing">No lines yet.</p>}
    </div>
  );
}
