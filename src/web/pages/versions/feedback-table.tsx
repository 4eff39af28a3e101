import type { Feedback, FeedbackView } from "#model/api-history.ts";
import { apiPath, call } from "../../api/client.ts";
import { Age } from "../../parts/age.tsx";
import { dateTime, exactSpan } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { appPath, space } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";

type Row = FeedbackView["apps"][number];

const columns: readonly Column<Row>[] = [
  {
    name: "app",
    cell: ({ space, app }) => (
      <Link to={appPath({ space, app }, "releases")}>
        <span class="muted">{space}/</span>
        {app}
      </Link>
    ),
  },
  { name: "changes", isNumber: true, cell: ({ changes }) => changes },
  { name: "a day", isNumber: true, isMinor: true, cell: ({ perDay }) => (perDay > 0 && perDay < 0.1 ? "< 0.1" : perDay.toFixed(1)) },
  { name: "lead time", isNumber: true, cell: ({ leadTimeMs }) => spreadText(leadTimeMs) },
  {
    name: "failed",
    isNumber: true,
    cell: ({ failed, failureRate }) => (
      <span class={failed > 0 ? "bad" : undefined}>{failureRate === null ? "–" : `${failed}, ${Math.round(failureRate * 100)} %`}</span>
    ),
  },
  { name: "restored", isNumber: true, isMinor: true, cell: ({ restores }) => restores },
  { name: "time to restore", isNumber: true, isMinor: true, cell: ({ restoreMs }) => spreadText(restoreMs) },
  {
    name: "now",
    isWide: true,
    isMinor: true,
    cell: ({ failingSinceMs }) =>
      failingSinceMs !== null && (
        <>
          <State tone="bad" word="fails" /> since <Age atMs={failingSinceMs} />
        </>
      ),
  },
];

/** How fast and how safely the apps change. */
export function FeedbackTable() {
  const path = apiPath(["feedback"], { space: space.value ?? undefined });
  const { value, error } = useLoad(path, (signal) => call<FeedbackView>("GET", path, { signal }), {
    wakes: ({ kind }) => /^(release|app)\./.test(kind),
  });
  const isShort = value !== null && value.keptSinceMs !== null && value.keptSinceMs > value.sinceMs;
  return (
    <Section
      title="How changes went"
      note={isShort && value.keptSinceMs !== null ? `since ${dateTime(value.keptSinceMs)}` : "in the last 30 days"}
      command={`drover feedback${space.value === null ? "" : ` --space ${space.value}`}`}
    >
      <ErrorNotice error={error} />
      {value?.apps.length === 0 && <Nothing>Nothing changed in this time.</Nothing>}
      {value !== null && value.apps.length > 0 && (
        <>
          <p class="muted">Times are the median, and what nine of ten keep.</p>
          <Rows label="Feedback" rows={value.apps} columns={columns} keyOf={({ space, app }) => `${space}/${app}`} />
        </>
      )}
    </Section>
  );
}

function spreadText(spread: Feedback["leadTimeMs"]): string {
  return spread === null ? "–" : `${rounded(spread.median)}, ${rounded(spread.p90)}`;
}

/** As exact as anybody compares it. */
function rounded(ms: number): string {
  const step = ms < 10_000 ? 100 : ms < 600_000 ? 1_000 : 60_000;
  const exact = Math.round(ms / step) * step;
  return exact < 10_000 ? `${exact / 1_000}s` : exactSpan(exact);
}
