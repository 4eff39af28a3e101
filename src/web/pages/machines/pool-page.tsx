import { useEffect } from "preact/hooks";
import type { PoolView } from "#model/api-pools.ts";
import type { PageProps } from "../../app.tsx";
import { Age } from "../../parts/age.tsx";
import { CopyText } from "../../parts/cli.tsx";
import { ConditionCode } from "../../parts/condition.tsx";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { RunState, State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { escalatorPath, machinePath } from "../../state/location.ts";
import { useMachines, usePools } from "../../state/machines.ts";
import { useWatched } from "../../state/watched.ts";
import { PoolState, runsOf } from "./pool-table.tsx";

type Power = PoolView["machines"][number]["power"];

interface Member {
  readonly name: string;
  /** Null for one that it should not have: nothing is asked about it. */
  readonly power: Power | null;
  readonly isReady: boolean;
  readonly address: string | null;
  readonly failing: readonly string[];
  /** It has joined. */
  readonly isMachine: boolean;
}

const powerTones: Readonly<Record<Power, "good" | "busy" | "warn" | "bad">> = {
  on: "good",
  off: "bad",
  changing: "busy",
  absent: "bad",
  unknown: "warn",
};
const powerWords: Readonly<Record<Power, string>> = { on: "on", off: "off", changing: "changing", absent: "not there", unknown: "unknown" };

const columns: readonly Column<Member>[] = [
  {
    name: "machine",
    // What its provider made has not joined before its agent is linked.
    cell: ({ name, isMachine }) => (isMachine ? <Link to={machinePath(name)}>{name}</Link> : name),
  },
  { name: "power", cell: ({ power }) => (power === null ? "–" : <State tone={powerTones[power]} word={powerWords[power]} />) },
  {
    name: "ready",
    cell: ({ isReady, power }) =>
      power === null ? (
        <State tone="off" word="not wanted" />
      ) : isReady ? (
        <State tone="good" word="ready" />
      ) : (
        <State tone="bad" word="not ready" />
      ),
  },
  { name: "address", isMinor: true, cell: ({ address }) => <span class="mono">{visibleText(address ?? "")}</span> },
  { name: "fails", isWide: true, cell: ({ failing }) => <span class="bad">{failing.join(", ")}</span> },
];

/** One pool: its machines as its provider tells of them, and what is done about those that are not well. */
export function PoolPage({ params: { space = "", pool: name = "" } }: PageProps) {
  const pools = usePools([space]);
  const machines = useMachines();
  const watched = useWatched([space]);
  useEffect(() => {
    document.title = `pool ${space}/${name} – Drover`;
  }, [space, name]);
  const pool = pools.value?.find((one) => one.name === name);
  if (pools.value !== null && pool === undefined) return <Nothing>{`Space “${space}” has no pool “${name}”.`}</Nothing>;
  const known = new Set(machines.value?.machines.map(({ id }) => id));
  return (
    <>
      <div class="title">
        <h1>
          <span class="muted">{space}/</span>
          {name}
        </h1>
        {pool !== undefined && <PoolState pool={pool} />}
        {pool !== undefined && (
          <span class="muted">
            {pool.ready} of {count(pool.wanted, "machine")} ready; {pool.leastHealthy} stay well while another is mended
          </span>
        )}
      </div>
      <ErrorNotice error={pools.error} />
      {pool !== undefined && (
        <>
          <Section title="Machines" note={String(pool.machines.length)} command={`drover pool show ${name} --space ${space}`}>
            <Rows label="Machines of the pool" rows={membersOf(pool, known)} columns={columns} keyOf={(one) => one.name} />
          </Section>
          <Provider pool={pool} />
          <Section title="What is done" command={`drover escalation ls --space ${space}`}>
            <ul class="lines">
              {runsOf(pool, watched.value?.runs ?? []).map((run) => (
                <li key={run.id}>
                  <RunState state={run.state} />
                  <Link to={escalatorPath(space, `runs/${run.id}`)}>escalation of {run.target}</Link>
                  <span class="muted">
                    {run.level === null ? "" : `level ${run.at ?? run.level}, `}
                    {run.waitingFor === null ? "" : `waits: ${visibleText(run.waitingFor)}, `}
                    <Age atMs={run.openedAtMs} />
                  </span>
                </li>
              ))}
              {runsOf(pool, watched.value?.runs ?? []).length === 0 && (
                <li class="muted">No escalation of it or of its machines goes on.</li>
              )}
            </ul>
          </Section>
        </>
      )}
    </>
  );
}

function membersOf({ machines, surplus }: PoolView, known: ReadonlySet<string>): readonly Member[] {
  const others = surplus.map((name) => ({ name, power: null, address: null, isReady: false, failing: [] }));
  return [...machines, ...others].map((one) => ({ ...one, isMachine: known.has(one.name) }));
}

function Provider({ pool: { provider, atMs, problem, can, publicKey, spare } }: { readonly pool: PoolView }) {
  const verbs = ["list", "create", "destroy", ...(can.converge ? ["converge"] : []), ...(can.power ? ["power"] : [])];
  return (
    <Section title="Provider" note={provider}>
      <ul class="lines">
        <li>
          {problem === null ? (
            <State tone={atMs === null ? "busy" : "good"} word={atMs === null ? "asking" : "answers"} />
          ) : (
            <State tone="bad" word="problem" />
          )}
          {problem !== null && (
            <>
              <span>{visibleText(problem.message)}</span>
              <ConditionCode code={problem.code} />
              <span class="muted">{problem.hint}</span>
            </>
          )}
          <span class="muted">
            {atMs === null ? "it has not answered yet" : "answered last "}
            {atMs !== null && <Age atMs={atMs} />}
            {atMs !== null && " ago"}; can {verbs.join(", ")}
          </span>
        </li>
        {spare.length > 0 && (
          <li>
            <State tone="off" word="spare" />
            <span class="mono">{visibleText(spare.join(", "))}</span>
          </li>
        )}
        {publicKey !== null && (
          <li>
            <State tone="off" word="key" />
            <span>Its hosts have to let in this key:</span>
            <CopyText text={publicKey} />
          </li>
        )}
      </ul>
    </Section>
  );
}
