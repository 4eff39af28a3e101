import { useEffect, useState } from "preact/hooks";
import type { EventView } from "#model/api.ts";
import { ApiError, apiPath, call } from "../api/client.ts";
import { follow, readEvents } from "../api/streams.ts";
import { ChoiceFilter, WordFilter } from "../parts/filters.tsx";
import { Link } from "../parts/link.tsx";
import { Moment } from "../parts/moment.tsx";
import { ErrorNotice, Nothing } from "../parts/notice.tsx";
import { type Column, Rows } from "../parts/rows.tsx";
import { Section } from "../parts/section.tsx";
import { collectFrames } from "../state/frames.ts";
import { appPath, parameter, space } from "../state/location.ts";
import { useWhile } from "../state/use.ts";
import { EventTabs } from "./timeline/event-tabs.tsx";

/** Events at the beginning, and those that are kept in the page: a day of a busy installation. */
const firstEvents = 1_000;
const keptEvents = 5_000;

/** The kinds side by side, because that is how causes are found. */
const families = ["all", "deploys", "checks", "people", "platform"] as const;
type Family = (typeof families)[number];

const columns: readonly Column<EventView>[] = [
  {
    name: "time",
    cell: ({ atMs }) => (
      <span class="mono">
        <Moment atMs={atMs} />
      </span>
    ),
  },
  { name: "kind", isMinor: true, cell: ({ kind }) => kind },
  {
    name: "of",
    cell: ({ space, app, subject }) =>
      space === null ? null : app === null ? (
        space
      ) : (
        <>
          <Link to={appPath({ space, app })}>
            {space}/{app}
          </Link>
          <span class="muted minor"> {subject?.replace(`${space}/${app}/`, "") ?? ""}</span>
        </>
      ),
  },
  { name: "what", isWide: true, cell: ({ message }) => message },
];

/** Deploys, checks, escalations, scaling, machines and people on one line of time, the newest first. */
export function EventsPage() {
  const [events, setEvents] = useState<readonly EventView[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const app = parameter("app");
  const filter = { space: space.value ?? undefined, app: app === "" ? undefined : app };
  useEffect(() => {
    document.title = "Events – Drover";
  }, []);
  useWhile(
    `events ${filter.space} ${filter.app}`,
    async (gone) => {
      let last: number | undefined;
      await follow(async (signal) => {
        if (last === undefined) {
          const first = await call<{ events: EventView[] }>("GET", apiPath(["events"], { ...filter, limit: firstEvents }), { signal });
          last = first.events.at(-1)?.sequence ?? 0;
          setEvents(first.events.toReversed());
        }
        // Once a frame: after a break hundreds come at once.
        const frames = collectFrames(keptEvents, (more: readonly EventView[]) =>
          setEvents((known) => [...more.toReversed(), ...(known ?? [])].slice(0, keptEvents)),
        );
        try {
          for await (const { event, data } of readEvents(apiPath(["events", "watch"], { ...filter, after: last }), signal)) {
            if (event !== "event") continue;
            const one = JSON.parse(data) as EventView;
            last = one.sequence;
            frames.add(one);
          }
        } catch (error) {
          // Too far behind to go on: read anew.
          if (!(error instanceof ApiError) || error.code !== "COMPACTED") throw error;
          last = undefined;
        } finally {
          frames.end();
        }
      }, gone);
    },
    setError,
  );
  const family = families.find((one) => one === parameter("show")) ?? "all";
  const words = parameter("q").toLowerCase();
  const shown = (events ?? []).filter((event) => isOf(event, family) && hasWords(event, words));
  return (
    <>
      <h1 class="unseen">Events</h1>
      <EventTabs />
      <ErrorNotice error={error} />
      <Section
        title={app === "" ? "Events" : `Events of ${app}`}
        note={events === null ? "" : String(shown.length)}
        command={["drover events", app, space.value === null ? "" : `--space ${space.value}`].filter(Boolean).join(" ")}
        tools={
          <>
            <WordFilter label="Filter events by words" />
            <ChoiceFilter label="Kind of events" name="show" value={family} choices={families.map((one) => [one, one])} />
          </>
        }
      >
        {shown.length > 0 && <Rows label="Events" rows={shown} columns={columns} keyOf={({ sequence }) => String(sequence)} />}
        {events !== null && shown.length === 0 && <Nothing>No event matches.</Nothing>}
      </Section>
    </>
  );
}

const kindsOf: Readonly<Record<Exclude<Family, "all">, RegExp>> = {
  deploys: /^(release|app|instance|workload|routes?)\./,
  checks: /^(check|escalation|ladder|tell)\./,
  people:
    /^(app\.(scaled|restarted|stopped|started|maintenance|destroying)|release\.rollback|env|secret|exec|session|token|machine\.(cordoned|uncordoned|draining|forced|labelled|removed|exec)|ladder\.(paused|resumed|mode|acknowledged)|certificate)/,
  platform: /^(agent|edge|server|machine|pool|rebalance|restore|logs|space|certificate|acme|events)\./,
};

function isOf({ kind }: EventView, family: Family): boolean {
  return family === "all" || kindsOf[family].test(kind);
}

function hasWords({ kind, message, space, app }: EventView, words: string): boolean {
  return words === "" || `${kind} ${space}/${app} ${message}`.toLowerCase().includes(words);
}
