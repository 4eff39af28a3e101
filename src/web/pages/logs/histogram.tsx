import type { LogHistogram } from "#model/api-logs.ts";
import { count, dateTime } from "../../parts/format.ts";
import { percent, TimeBox } from "../../parts/time-box.tsx";
import { visibleText } from "../../parts/visible-text.ts";

/** What stands on what in a bar, from below, with what each level is drawn as. */
const classes: Readonly<Record<string, string>> = {
  fatal: "bad",
  error: "bad",
  warn: "warn",
  info: "good",
  debug: "off",
  trace: "off",
  none: "off",
};
const order = ["fatal", "error", "warn", "info", "debug", "trace", "none"] as const;

/** How many events match, by time and level. */
export function Histogram({ histogram }: { readonly histogram: LogHistogram }) {
  const { sinceMs, bucketMs, levels, buckets, searchedToMs } = histogram;
  const sums = buckets.map((counts) => counts.reduce((sum, one) => sum + one, 0));
  const all = sums.reduce((sum, one) => sum + one, 0);
  const most = Math.max(1, ...sums);
  const range = { fromMs: sinceMs, toMs: sinceMs + bucketMs * Math.max(1, buckets.length) };
  const byLevel = new Map(levels.map((level, i) => [level ?? "none", i]));
  return (
    <>
      <TimeBox label={`${count(all, "event")} from ${dateTime(range.fromMs)} to ${dateTime(range.toMs)}`} range={range}>
        <div class="bars" aria-hidden="true">
          {buckets.map((counts, i) => (
            <div
              key={sinceMs + i * bucketMs}
              class="stack"
              style={{ left: percent(i / buckets.length), width: percent(1 / buckets.length) }}
              title={`${dateTime(sinceMs + i * bucketMs)}: ${count(sums[i] ?? 0, "event")}`}
            >
              {order.map((level) => {
                const at = byLevel.get(level);
                const events = at === undefined ? 0 : (counts[at] ?? 0);
                return events === 0 ? null : <div key={level} class={classes[level]} style={{ height: percent(events / most) }} />;
              })}
            </div>
          ))}
        </div>
        {all > 0 && (
          <span class="axis muted" aria-hidden="true">
            {count(most, "event")}
          </span>
        )}
      </TimeBox>
      <p class="muted">
        {count(all, "event")}
        {order
          .flatMap((level) => {
            const at = byLevel.get(level);
            const events = at === undefined ? 0 : buckets.reduce((sum, counts) => sum + (counts[at] ?? 0), 0);
            return events === 0 ? [] : [`, ${events.toLocaleString("en")} ${level === "none" ? "of no level" : level}`];
          })
          .join("")}
      </p>
      {searchedToMs !== null && <p class="warn">Before {dateTime(searchedToMs)} they are not counted in full: choose a shorter stretch.</p>}
      <Missing {...histogram} />
    </>
  );
}

/** What an answer does not cover. */
export function Missing({ silent, damaged }: Pick<LogHistogram, "silent" | "damaged">) {
  return (
    <>
      {silent.map(({ machine, why }) => (
        <p key={machine} class="warn">
          {machine} could not be asked: {visibleText(why)}
        </p>
      ))}
      {damaged.length > 0 && <p class="warn">{count(damaged.length, "segment")} of the logs are damaged and were passed over.</p>}
    </>
  );
}
