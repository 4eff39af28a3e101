import type { TimelineSpan } from "#model/api-history.ts";
import { Link } from "../../parts/link.tsx";
import { Moment } from "../../parts/moment.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { appPath, parameter } from "../../state/location.ts";
import { isMoment, outcomeTones, outcomeWords, pageOf, tookText, whatText } from "./span-words.ts";

const columns: readonly Column<TimelineSpan>[] = [
  {
    name: "time",
    cell: (span) => (
      <span class={String(span.firstEvent) === parameter("event") ? "mono chosen" : "mono"}>
        {span.startMs === null ? "earlier" : <Moment atMs={span.startMs} />}
      </span>
    ),
  },
  { name: "lane", isMinor: true, cell: ({ lane }) => lane },
  {
    name: "of",
    cell: ({ space, app }) =>
      space === null ? null : app === null ? (
        space
      ) : (
        <Link to={appPath({ space, app })}>
          <span class="muted minor">{space}/</span>
          {app}
        </Link>
      ),
  },
  {
    name: "outcome",
    isMinor: true,
    cell: (span) =>
      isMoment(span) && span.outcome === "ok" ? null : <State tone={outcomeTones[span.outcome]} word={outcomeWords[span.outcome]} />,
  },
  { name: "took", isNumber: true, isMinor: true, cell: (span) => tookText(span) },
  {
    name: "what",
    isWide: true,
    cell: (span) => {
      const to = pageOf(span);
      return to === null ? whatText(span) : <Link to={to}>{whatText(span)}</Link>;
    },
  },
  { name: "by", isMinor: true, cell: ({ by }) => <span class="muted">{by === null ? "" : visibleText(by)}</span> },
];

/** The same as the lanes, in words; what was chosen there is first, then the newest. */
export function SpanTable({ spans }: { readonly spans: readonly TimelineSpan[] }) {
  const chosen = parameter("event");
  const isChosen = (span: TimelineSpan) => Number(String(span.firstEvent) === chosen);
  const rows = spans.toSorted((a, b) => isChosen(b) - isChosen(a) || b.firstEvent - a.firstEvent);
  return <Rows label="What happened" rows={rows} columns={columns} keyOf={({ key, firstEvent }) => `${key} ${firstEvent}`} />;
}
