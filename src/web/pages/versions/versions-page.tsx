import { useEffect } from "preact/hooks";
import type { AppVersions, InstanceVersion, ProgramVersionView, VersionsView } from "#model/api-versions.ts";
import { shortInstanceId } from "#model/names.ts";
import { apiPath, call } from "../../api/client.ts";
import { Age } from "../../parts/age.tsx";
import { ChoiceFilter, WordFilter } from "../../parts/filters.tsx";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { appPath, machinePath, parameter, space, url } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";
import { FeedbackTable } from "./feedback-table.tsx";
import { releasesText, saidText, saidVersions } from "./version-words.ts";

/** Each look asks every instance for its own word. */
const everyMs = 30_000;

/** Which version of what runs where: wanted, running, and by its own word. */
export function VersionsPage() {
  const of = space.value ?? undefined;
  const versions = useLoad(`versions ${of}`, (signal) => call<VersionsView>("GET", apiPath(["versions"], { space: of }), { signal }), {
    everyMs,
    wakes: ({ kind }) => /^(release|app|agent|edge)\./.test(kind),
  });
  useEffect(() => {
    document.title = "Versions – Drover";
  }, []);
  const { value } = versions;
  const chosen = value?.apps.find(({ space, app }) => `${space}/${app}` === parameter("app"));
  return (
    <>
      <h1 class="unseen">Versions</h1>
      <ErrorNotice error={versions.error} />
      {value?.silent.map(({ machine, why }) => (
        <p key={machine} class="warn">
          Instances on {machine} could not be asked: {visibleText(why)}
        </p>
      ))}
      {value !== null && <Apps apps={value.apps} />}
      {chosen !== undefined && <App versions={chosen} />}
      <FeedbackTable />
      {value !== null && value.programs.length > 0 && <Programs programs={value.programs} />}
    </>
  );
}

const columns: readonly Column<AppVersions>[] = [
  {
    name: "app",
    cell: ({ space, app }) => (
      <Link to={appPath({ space, app })}>
        <span class="muted">{space}/</span>
        {app}
      </Link>
    ),
  },
  {
    name: "agreement",
    cell: ({ differences, wanted }) =>
      wanted === null ? (
        <State tone="off" word="no release" />
      ) : differences.length === 0 ? (
        <State tone="good" word="agrees" />
      ) : (
        <State tone="warn" word="differs" title={differences.map(({ message }) => message).join("\n")} />
      ),
  },
  { name: "wanted", isNumber: true, isMinor: true, cell: ({ wanted }) => wanted?.release ?? "–" },
  { name: "running", cell: ({ instances }) => releasesText(instances) },
  {
    name: "says",
    isMinor: true,
    cell: ({ instances }) => <span class="mono">{visibleText(saidVersions(instances).join(", ") || "–")}</span>,
  },
  { name: "since", isMinor: true, cell: ({ wanted }) => (wanted === null ? "–" : <Age atMs={wanted.createdAtMs} />) },
  {
    name: "in what",
    isWide: true,
    isMinor: true,
    cell: ({ differences: [first] }) => <span class="muted">{visibleText(first?.message ?? "")}</span>,
  },
  {
    name: "",
    cell: ({ space, app }) => <Link to={withApp(`${space}/${app}`)}>instances</Link>,
  },
];

/** The address of this page with that app's instances shown. */
function withApp(app: string): string {
  const search = new URLSearchParams(url.value.search);
  search.set("app", app);
  return `/versions?${search}`;
}

function Apps({ apps }: { readonly apps: readonly AppVersions[] }) {
  const [words, show] = [parameter("q").toLowerCase(), parameter("show")];
  const shown = apps
    .filter((one) => (show !== "differs" || one.differences.length > 0) && `${one.space}/${one.app}`.includes(words))
    .sort((a, b) => Number(b.differences.length > 0) - Number(a.differences.length > 0));
  return (
    <Section
      title="Versions"
      note={shown.length === apps.length ? String(apps.length) : `${shown.length} of ${apps.length}`}
      command={`drover versions${space.value === null ? "" : ` --space ${space.value}`}`}
      tools={
        <>
          <WordFilter label="Filter apps by name" />
          <ChoiceFilter
            label="Filter apps by agreement"
            name="show"
            value={show}
            choices={[
              ["", "all"],
              ["differs", "what differs"],
            ]}
          />
        </>
      }
    >
      {shown.length > 0 && <Rows label="Versions" rows={shown} columns={columns} keyOf={({ space, app }) => `${space}/${app}`} />}
      {shown.length === 0 && <Nothing>{apps.length === 0 ? "There are no apps yet." : "No app matches the filter."}</Nothing>}
    </Section>
  );
}

const instanceColumns: readonly Column<InstanceVersion>[] = [
  { name: "instance", cell: ({ id }) => <span class="mono">{shortInstanceId(id)}</span> },
  { name: "release", isNumber: true, cell: ({ release }) => release },
  { name: "machine", isMinor: true, cell: ({ machine }) => <Link to={machinePath(machine)}>{machine}</Link> },
  { name: "says", isWide: true, cell: ({ said, why }) => <Said said={said} why={why} /> },
];

function Said({ said, why }: Pick<InstanceVersion, "said" | "why">) {
  if (said === null) return <span class="muted">{visibleText(why ?? "nothing")}</span>;
  return <span class="mono">{visibleText(saidText(said))}</span>;
}

/** One app, instance by instance and route by route. */
function App({ versions: { space, app, wanted, routes, instances, differences } }: { readonly versions: AppVersions }) {
  return (
    <Section title={`${space}/${app}`} note={count(instances.length, "instance")} command={`drover versions ${space}/${app}`}>
      <ul class="lines" aria-label="What differs">
        {wanted !== null && (
          <li>
            <State tone="off" word="wanted" />
            <span>
              release {wanted.release}, by {wanted.cause}, <Age atMs={wanted.createdAtMs} /> ago
            </span>
            <span class="mono muted">{wanted.artifact ?? ""}</span>
          </li>
        )}
        {routes.map(({ place, process, targets }) => (
          <li key={place}>
            <State tone="off" word="route" />
            <span class="mono">{visibleText(place)}</span>
            <span class="muted">
              {process}:{" "}
              {targets
                .map(({ release, share, instances }) => `release ${release}, ${Math.round(share * 100)} %, ${count(instances, "instance")}`)
                .join("; ") || "none ready"}
            </span>
          </li>
        ))}
        {differences.map(({ code, message }) => (
          <li key={code + message}>
            <State tone="warn" word="differs" />
            <span>{visibleText(message)}</span>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      {instances.length > 0 && <Rows label="Instances" rows={instances} columns={instanceColumns} keyOf={({ id }) => id} />}
    </Section>
  );
}

const programColumns: readonly Column<ProgramVersionView>[] = [
  { name: "machine", cell: ({ machine }) => <Link to={machinePath(machine)}>{machine}</Link> },
  { name: "program", cell: ({ program }) => program },
  { name: "version", cell: ({ version }) => <span class="mono">{version ?? "–"}</span> },
  { name: "Node", isMinor: true, cell: ({ node }) => <span class="mono">{node ?? "–"}</span> },
  {
    name: "agreement",
    isWide: true,
    cell: ({ differs, version }) =>
      version === null ? (
        <State tone="off" word="does not say" />
      ) : differs ? (
        <State tone="warn" word="not the server’s version" />
      ) : (
        <State tone="good" word="agrees" />
      ),
  },
];

/** Drover's own programs, those that differ first. */
function Programs({ programs }: { readonly programs: readonly ProgramVersionView[] }) {
  const shown = programs.toSorted((a, b) => Number(b.differs) - Number(a.differs));
  return (
    <Section title="Drover itself" note={count(programs.length, "program")} command="drover versions">
      <Rows label="Drover itself" rows={shown} columns={programColumns} keyOf={({ machine, program }) => `${machine} ${program}`} />
    </Section>
  );
}
