import { useEffect } from "preact/hooks";
import type { TimelineView } from "#model/api-history.ts";
import { apiPath, call } from "../../api/client.ts";
import { WordFilter } from "../../parts/filters.tsx";
import { dateTime } from "../../parts/format.ts";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { RangeTools } from "../../parts/range-tools.tsx";
import { Section } from "../../parts/section.tsx";
import { parameter, setParameters, space } from "../../state/location.ts";
import { askedRange, rangeAt, sinceOptions } from "../../state/time-range.ts";
import { useLoad } from "../../state/use.ts";
import { EventTabs } from "./event-tabs.tsx";
import { Lanes } from "./lanes.tsx";
import { SpanTable } from "./span-table.tsx";
import { whatText } from "./span-words.ts";

/** What ends now goes on with the time also while nothing happens. */
const everyMs = 15_000;
/** As many events as the API looks at. */
const mostEvents = 5_000;

/** Deploys, health, checks, escalations, scaling, machines and people side by side, because that is how causes are found. */
export function TimelinePage() {
  const asked = askedRange("1h");
  const app = parameter("app");
  const [ofSpace, ofApp] = app.includes("/") ? app.split("/") : [space.value ?? undefined, app === "" ? undefined : app];
  const { value, error } = useLoad(
    `timeline ${asked.key} ${ofSpace} ${ofApp}`,
    async (signal) => {
      const { fromMs, toMs } = rangeAt(asked, Date.now());
      const query = { space: ofSpace, app: ofApp, sinceMs: fromMs, untilMs: toMs, limit: mostEvents };
      return { range: { fromMs, toMs }, view: await call<TimelineView>("GET", apiPath(["timeline"], query), { signal }) };
    },
    asked.fixed === null ? { everyMs, wakes: () => true } : {},
  );
  useEffect(() => {
    document.title = "Timeline – Drover";
  }, []);
  const range = value?.range ?? rangeAt(asked, Date.now());
  const words = parameter("q").toLowerCase();
  const off = parameter("hide").split(",").filter(Boolean);
  const lanes = (value?.view.lanes ?? [])
    .filter(({ lane }) => !off.includes(lane))
    .map(({ lane, spans }) => ({
      lane,
      spans:
        words === ""
          ? spans
          : spans.filter((span) => `${span.space}/${span.app} ${whatText(span)} ${span.by}`.toLowerCase().includes(words)),
    }));
  const all = lanes.flatMap(({ spans }) => spans);
  return (
    <>
      <h1 class="unseen">Timeline</h1>
      <EventTabs />
      <ErrorNotice error={error} />
      <Section
        title={app === "" ? "Timeline" : `Timeline of ${app}`}
        note={value === null ? "" : `${all.length} from ${dateTime(range.fromMs)}`}
        command={["drover timeline", app, sinceOptions(asked), space.value === null ? "" : `--space ${space.value}`]
          .filter(Boolean)
          .join(" ")}
        tools={
          <>
            <WordFilter label="Filter what happened by words" />
            <RangeTools asked={asked} range={range} />
          </>
        }
      >
        {value !== null && <LaneSwitches names={value.view.lanes.map(({ lane }) => lane)} off={off} />}
        {value !== null && <Lanes lanes={lanes} range={range} />}
        {value?.view.older != null && <p class="warn">More happened in this time than is shown: choose a shorter one, or one app.</p>}
        {value !== null && all.length === 0 && <Nothing>Nothing happened in this time.</Nothing>}
      </Section>
      {all.length > 0 && <SpanTable spans={all} />}
    </>
  );
}

/** Lanes that are shown. */
function LaneSwitches({ names, off }: { readonly names: readonly string[]; readonly off: readonly string[] }) {
  const toggle = (lane: string) =>
    setParameters({ hide: (off.includes(lane) ? off.filter((one) => one !== lane) : [...off, lane]).join(",") });
  return (
    <fieldset class="switches">
      <legend class="unseen">Lanes</legend>
      {names.map((lane) => (
        <label key={lane}>
          <input type="checkbox" checked={!off.includes(lane)} onChange={() => toggle(lane)} />
          {lane}
        </label>
      ))}
    </fieldset>
  );
}
