import { useEffect } from "preact/hooks";
import type { ShippingDestinationView } from "#model/api-shipping.ts";
import { conditions } from "#model/conditions.ts";
import { apiPath, call } from "../../api/client.ts";
import { Age } from "../../parts/age.tsx";
import { ConditionCode, Meaning } from "../../parts/condition.tsx";
import { bytes, count, span } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Loading, Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { nowMs } from "../../state/clock.ts";
import { conditionPath, machinePath, space } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";
import { LogTabs } from "./log-tabs.tsx";

/** Each look asks every machine about each destination. */
const everyMs = 5_000;

const nameOf = ({ space, name }: ShippingDestinationView) => `${space}/${name}`;

const columns: readonly Column<ShippingDestinationView>[] = [
  {
    name: "destination",
    cell: ({ space, name }) => (
      <>
        <span class="muted">{space}/</span>
        {name}
      </>
    ),
  },
  { name: "state", cell: (one) => <DestinationState destination={one} /> },
  { name: "behind", cell: ({ behind }) => <Behind behind={behind} /> },
  { name: "sent", isNumber: true, isMinor: true, cell: ({ sent }) => sent.toLocaleString("en") },
  { name: "latest", isMinor: true, cell: ({ sentAtMs }) => <Age atMs={sentAtMs} /> },
  { name: "lost", isNumber: true, isMinor: true, cell: ({ lostLines }) => <Missed count={lostLines} code="LOGS_LOST" /> },
  { name: "refused", isNumber: true, isMinor: true, cell: ({ refused }) => <Missed count={refused} code="LOGS_REFUSED" /> },
  { name: "gets lines for", isMinor: true, cell: ({ sinceMs }) => <Age atMs={sinceMs} /> },
  {
    name: "to",
    isWide: true,
    isMinor: true,
    cell: ({ kind, to }) => (
      <>
        {kind} <span class="mono">{visibleText(to)}</span>
      </>
    ),
  },
];

/** Where spaces send their logs, how far behind each destination is, and what keeps it from taking them. */
export function DestinationsPage() {
  const of = space.value ?? undefined;
  const { value, error } = useLoad(
    `destinations ${of}`,
    (signal) => call<{ destinations: ShippingDestinationView[] }>("GET", apiPath(["logs", "shipping"], { space: of }), { signal }),
    { everyMs, wakes: ({ kind }) => kind.startsWith("logs.") || kind.startsWith("space.") },
  );
  useEffect(() => {
    document.title = "Log destinations – Drover";
  }, []);
  const destinations = value?.destinations ?? [];
  const failing = destinations.filter((one) => one.failing !== null).length;
  return (
    <>
      <h1 class="unseen">Logs</h1>
      <LogTabs />
      <ErrorNotice error={error} />
      <Section
        title="Destinations"
        note={value === null ? "" : failing === 0 ? String(destinations.length) : `${failing} of ${destinations.length} failing`}
        command={`drover shipping ls${of === undefined ? "" : ` --space ${of}`}`}
      >
        {value === null && error === null && <Loading />}
        <Waiting destinations={destinations} />
        {destinations.length > 0 && <Rows label="Destinations" rows={destinations} columns={columns} keyOf={nameOf} />}
        {value?.destinations.length === 0 && <NoDestinations />}
      </Section>
    </>
  );
}

function DestinationState({ destination: { failing, silent } }: { readonly destination: ShippingDestinationView }) {
  if (failing !== null) return <State tone="bad" word="failing" />;
  return silent.length > 0 ? <State tone="warn" word="in part" /> : <State tone="good" word="well" />;
}

function Behind({ behind: { lines, bytes: unsent, sinceMs } }: Pick<ShippingDestinationView, "behind">) {
  if (lines === 0) return <span class="muted">–</span>;
  return (
    <>
      {count(lines, "line")}
      <span class="minor">, {bytes(unsent)}</span>
      {sinceMs !== null && (
        <>
          , for <Age atMs={sinceMs} />
        </>
      )}
    </>
  );
}

/** Lines that a destination will never have; leads to what that means. */
function Missed({ count, code }: { readonly count: number; readonly code: "LOGS_LOST" | "LOGS_REFUSED" }) {
  if (count === 0) return <span class="muted">–</span>;
  return (
    <Link to={conditionPath(code)} class="warn" title={`${conditions[code].cause} ${conditions[code].remedy}`.replaceAll("`", "")}>
      {count.toLocaleString("en")}
    </Link>
  );
}

/** Why lines wait: what each destination says, whose lines cannot be read, and who is not there to print any. */
function Waiting({ destinations }: { readonly destinations: readonly ShippingDestinationView[] }) {
  const failing = destinations.flatMap((one) => (one.failing === null ? [] : [{ one, ...one.failing }]));
  const silent = destinations.flatMap((one) => one.silent.map((machine) => ({ one, ...machine })));
  const missing = destinations.flatMap((one) => [
    ...one.missing.apps.map((app) => ({ one, what: `app "${app}" of its space` })),
    ...one.missing.spaces.map((space) => ({ one, what: `space "${space}"` })),
  ]);
  if (failing.length + silent.length + missing.length === 0) return null;
  return (
    <ul class="lines" aria-label="Why lines wait">
      {failing.map(({ one, sinceMs, why, retryAtMs }, i) => (
        <li key={nameOf(one)}>
          <State tone="bad" word="failing" />
          <span>
            {nameOf(one)} has taken nothing for <Age atMs={sinceMs} />: {visibleText(why)}
          </span>
          <span class="muted">{retryAtMs > nowMs.value ? `is tried again in ${span(retryAtMs - nowMs.value)}` : "is tried again now"}</span>
          <ConditionCode code="LOGS_NOT_TAKEN" />
          {i === 0 && <Meaning condition={conditions.LOGS_NOT_TAKEN} />}
        </li>
      ))}
      {silent.map(({ one, machine, why }) => (
        <li key={`${nameOf(one)} ${machine}`}>
          <State tone="warn" word="waits" />
          <Link to={machinePath(machine)}>{machine}</Link>
          <span>
            has lines for {nameOf(one)} that cannot be read: {visibleText(why)}
          </span>
        </li>
      ))}
      {missing.map(({ one, what }) => (
        <li key={`${nameOf(one)} ${what}`}>
          <State tone="warn" word="missing" />
          <span>
            {nameOf(one)} gets the lines of {what}, which there is not (yet)
          </span>
        </li>
      ))}
    </ul>
  );
}

function NoDestinations() {
  return (
    <>
      <Nothing>
        Logs are kept where they are printed, and sent nowhere else. A space says where to under <code>logs.ship</code> of its{" "}
        <Link to="/manifest">manifest</Link>:
      </Nothing>
      <pre class="output">{`space: ${space.value ?? "shop"}
logs:
  ship:
    elastic:
      elasticsearch: https://es.example.com:9200
      user: drover
      password: ELASTIC_PASSWORD`}</pre>
    </>
  );
}
