import type { HealthHistory, HealthPeriod } from "#model/api-history.ts";
import { apiPath, call } from "../api/client.ts";
import { useLoad } from "../state/use.ts";
import { Age } from "./age.tsx";
import { ConditionCode } from "./condition.tsx";
import { count, dateTime, span } from "./format.ts";
import { Link } from "./link.tsx";
import { ErrorNotice } from "./notice.tsx";
import { Section } from "./section.tsx";
import { State } from "./state.tsx";
import { visibleText } from "./visible-text.ts";

/** The strip moves on with the time; what changes comes as an event. */
const everyMs = 60_000;
/** Lines in words: the timeline has all. */
const shownPeriods = 5;

const tones = { well: "good", degraded: "warn", failing: "bad", idle: "off", unknown: "off" } as const;

interface HealthHistorySectionProps {
  /** Below `/v1`, without `health`. */
  readonly of: readonly string[];
  /** The command that shows the same. */
  readonly command: string;
  /** Kinds of events that change it. */
  readonly wakes: RegExp;
  readonly timeline: string;
}

/** How an app or a machine was over the last day: a strip of time, and what went wrong in words. */
export function HealthHistorySection({ of, command, wakes, timeline }: HealthHistorySectionProps) {
  const path = apiPath([...of, "health"]);
  const { value, error } = useLoad(path, (signal) => call<HealthHistory>("GET", path, { signal }), {
    everyMs,
    wakes: ({ kind }) => wakes.test(kind),
  });
  const wrong = (value?.periods ?? []).filter(({ state }) => state === "failing" || state === "degraded").toReversed();
  return (
    <Section title="Health" note={value === null ? "" : summary(value)} command={command} tools={<Link to={timeline}>timeline</Link>}>
      <ErrorNotice error={error} />
      {value !== null && <Strip history={value} />}
      {wrong.length > 0 && (
        <ul class="lines" aria-label="What went wrong">
          {wrong.slice(0, shownPeriods).map((period) => (
            <li key={period.startMs}>
              <State tone={tones[period.state]} word={period.state} />
              <span>
                <Age atMs={period.startMs} /> ago, for {span(period.endMs - period.startMs)}
              </span>
              <span class="muted">{visibleText(period.message ?? "")}</span>
              {period.code !== null && <ConditionCode code={period.code} />}
            </li>
          ))}
          {wrong.length > shownPeriods && <li class="muted">and {count(wrong.length - shownPeriods, "time")} more</li>}
        </ul>
      )}
    </Section>
  );
}

function Strip({ history }: { readonly history: HealthHistory }) {
  const { sinceMs, untilMs, periods } = history;
  const share = (ms: number) => `${(ms / (untilMs - sinceMs)) * 100}%`;
  return (
    <div class="strip" role="img" aria-label={summary(history)}>
      {periods.map((period) => (
        <span
          key={period.startMs}
          class={`${tones[period.state]} ${period.state}`}
          title={wordsOf(period)}
          style={{ left: share(period.startMs - sinceMs), width: share(period.endMs - period.startMs) }}
        />
      ))}
    </div>
  );
}

function wordsOf({ state, startMs, endMs, message }: HealthPeriod): string {
  const what = message === null || state === "unknown" ? "" : `\n${visibleText(message)}`;
  return `${state} from ${dateTime(startMs)}, for ${span(endMs - startMs)}${what}`;
}

/** The share is cut, not rounded: 100 % is said of what was well all the time alone. */
function summary({ wellShare, sinceMs, untilMs, periods }: HealthHistory): string {
  const whole = `the last ${span(untilMs - sinceMs)}`;
  if (wellShare === null) return `nothing is known of ${whole}`;
  const unknownMs = periods.reduce((sum, { state, startMs, endMs }) => sum + (state === "unknown" ? endMs - startMs : 0), 0);
  const known = unknownMs === 0 ? whole : `what is known, ${span(untilMs - sinceMs - unknownMs)}`;
  return `well ${Math.floor(wellShare * 10_000) / 100} % of ${known}`;
}
