import { useEffect, useRef, useState } from "preact/hooks";
import type { AppSummary } from "#model/api.ts";
import type { LogHistogram } from "#model/api-logs.ts";
import { kindsOfSpaces, type LogKind } from "#model/log-kind.ts";
import { apiPath, call } from "../../api/client.ts";
import { dateTime } from "../../parts/format.ts";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { RangeTools } from "../../parts/range-tools.tsx";
import { Section } from "../../parts/section.tsx";
import { nowMs } from "../../state/clock.ts";
import { parameter, setParameters, space } from "../../state/location.ts";
import { askedRange, rangeAt } from "../../state/time-range.ts";
import { useLoad } from "../../state/use.ts";
import { EventDetails } from "./event-details.tsx";
import { EventTable } from "./event-table.tsx";
import { Histogram, Missing } from "./histogram.tsx";
import { logsCommand, scopeOfPage } from "./log-scope.ts";
import { LogTabs } from "./log-tabs.tsx";
import { SavedSearches } from "./saved-searches.tsx";
import { useEvents } from "./use-events.ts";

/** How long typing rests before it is searched for. */
const typingMs = 400;
/** While it is live; each count has every machine look. */
const everyMs = 5_000;
const buckets = 120;

/** Everything that was said, by every instance on every machine: searched, counted over time, and as it comes. */
export function LogsPage() {
  const asked = askedRange("1h");
  const scope = scopeOfPage();
  const isLive = parameter("live") !== "" && asked.fixed === null;
  const found = useEvents(scope, asked, isLive);
  const histogram = useLoad(
    `${JSON.stringify(scope)} ${asked.key}`,
    (signal) => {
      const { fromMs, toMs } = rangeAt(asked, Date.now());
      const range = { sinceMs: Math.round(fromMs), untilMs: Math.round(toMs), buckets };
      return call<LogHistogram>("GET", apiPath(["logs", "histogram"], { ...scope, ...range }), { signal });
    },
    isLive ? { everyMs } : {},
  );
  useEffect(() => {
    document.title = "Logs – Drover";
  }, []);
  return (
    <>
      <h1 class="unseen">Logs</h1>
      <LogTabs />
      <Section
        title="Logs"
        note={isLive ? "live" : ""}
        command={`${logsCommand(scope, asked)}${isLive ? " -f" : ""}`}
        tools={
          <>
            <AppChoice />
            {scope.own === undefined && <KindChoice />}
            {scope.space !== undefined && <SavedSearches space={scope.space} scope={scope} />}
            <button
              type="button"
              aria-pressed={isLive}
              disabled={asked.fixed !== null}
              title={asked.fixed === null ? "" : "What is shown ends before now."}
              onClick={() => setParameters({ live: isLive ? "" : "1" })}
            >
              {isLive ? "Stop" : "Follow"}
            </button>
            <RangeTools asked={asked} range={rangeAt(asked, nowMs.value)} />
          </>
        }
      >
        <SearchField q={scope.q} />
        <ErrorNotice error={found.error ?? histogram.error} />
        {histogram.value !== null && <Histogram histogram={histogram.value} />}
      </Section>
      {found.unheard.map((machine) => (
        <p key={machine} class="warn">
          {machine} is not heard: what it says may be missing.
        </p>
      ))}
      {histogram.value === null && found.page !== null && <Missing {...found.page} />}
      {found.events.length > 0 && <EventTable events={found.events} />}
      {!found.isLoading && found.page !== null && found.events.length === 0 && <Nothing>Nothing matches in this time.</Nothing>}
      {found.page?.searchedToMs != null && (
        <p class="muted">Searched back to {dateTime(found.page.searchedToMs)}; what is older takes another look.</p>
      )}
      {found.loadOlder !== null && (
        <p>
          <button type="button" onClick={found.loadOlder}>
            Older
          </button>
        </p>
      )}
      {parameter("at") !== "" && <EventDetails />}
    </>
  );
}

/** What is looked for; in the address once typing rests. */
function SearchField({ q }: { readonly q: string }) {
  const [text, setText] = useState(q);
  const typing = useRef<number | null>(null);
  // Chosen elsewhere, such as among the saved ones: what is being typed stays.
  useEffect(() => {
    if (typing.current === null) setText(q);
  }, [q]);
  const onType = (next: string) => {
    setText(next);
    if (typing.current !== null) clearTimeout(typing.current);
    typing.current = setTimeout(() => {
      typing.current = null;
      setParameters({ q: next });
    }, typingMs) as unknown as number;
  };
  return (
    <input
      type="search"
      class="query mono"
      aria-label="Search"
      placeholder={'timeout "connection refused" level>=warn status>=500 -healthz'}
      spellcheck={false}
      value={text}
      onInput={(event) => onType(event.currentTarget.value)}
    />
  );
}

/** Whose lines: all, or those of builds, commands, ladders, and so on. */
function KindChoice() {
  return (
    <select aria-label="Lines" value={parameter("of")} onChange={(event) => setParameters({ of: event.currentTarget.value })}>
      <option value="">all lines</option>
      {kindsOfSpaces.map((kind) => (
        <option key={kind} value={kind}>
          {wordsOf[kind]}
        </option>
      ))}
    </select>
  );
}

const wordsOf: Readonly<Partial<Record<LogKind, string>>> = {
  app: "of instances",
  build: "of builds",
  run: "of commands run",
  before: "of before commands",
  escalation: "of escalations",
};

/** One app's, a space's, everybody's, or what Drover's own programs say. */
function AppChoice() {
  const { value } = useLoad("apps", (signal) => call<{ apps: AppSummary[] }>("GET", apiPath(["apps"]), { signal }));
  const names = (value?.apps ?? [])
    .filter((app) => space.value === null || app.space === space.value)
    .map((app) => `${app.space}/${app.name}`);
  const own = parameter("own") !== "";
  const choose = (name: string) => setParameters(name === "own" ? { own: "1", app: "", of: "" } : { own: "", app: name });
  return (
    <select aria-label="App" value={own ? "own" : parameter("app")} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">all apps</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
      {space.value === null && <option value="own">Drover itself</option>}
    </select>
  );
}
