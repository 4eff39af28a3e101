import type { LogEventView } from "#model/api-logs.ts";
import { dateTime, timeOfDay } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { State } from "../../parts/state.tsx";
import { appPath, setParameters } from "../../state/location.ts";
import { firstLine, levelTones, nameOf, placeOf } from "./event-words.ts";

const columns: readonly Column<LogEventView>[] = [
  {
    name: "time",
    cell: (event) => (
      <button
        type="button"
        class="cli mono"
        title={`${dateTime(event.atMs)}: show it with what stands around it`}
        onClick={() => setParameters({ at: nameOf(event) })}
      >
        <span class="minor">{dateTime(event.atMs).slice(5, 10)} </span>
        {timeOfDay(event.atMs)}
      </button>
    ),
  },
  { name: "level", isMinor: true, cell: ({ level }) => (level === null ? "" : <State tone={levelTones[level]} word={level} />) },
  {
    name: "of",
    isMinor: true,
    cell: (event) => {
      const { space, app, name } = placeOf(event);
      return (
        <>
          <Link to={appPath({ space, app }, "logs")}>
            {space}/{app}
          </Link>{" "}
          <span class="muted">{name}</span>
        </>
      );
    },
  },
  {
    name: "event",
    isWide: true,
    cell: (event) => {
      const { text, more } = firstLine(event);
      return (
        <span class={event.source === "drover" ? "mono warn" : "mono"}>
          {more > 0 && <span class="muted">+{more} </span>}
          {event.source === "drover" ? "[drover] " : ""}
          <bdi>{text}</bdi>
        </span>
      );
    },
  },
];

/** Events, the newest first; only those that can be seen are in the page. */
export function EventTable({ events }: { readonly events: readonly LogEventView[] }) {
  return <Rows label="Events of logs" rows={events} columns={columns} keyOf={nameOf} />;
}
