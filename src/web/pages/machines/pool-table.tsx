import type { EscalationView } from "#model/api-escalations.ts";
import type { PoolView } from "#model/api-pools.ts";
import { Age } from "../../parts/age.tsx";
import { Link } from "../../parts/link.tsx";
import { Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { RunState, State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { escalatorPath, poolPath, space } from "../../state/location.ts";

export type SpaceRun = EscalationView & { readonly space: string };

interface PoolTableProps {
  readonly pools: readonly PoolView[] | null;
  /** Escalations that go on. */
  readonly runs: readonly SpaceRun[];
}

/** Escalations of a pool and of its machines. */
export function runsOf({ space, name, machines }: PoolView, runs: readonly SpaceRun[]): readonly SpaceRun[] {
  const targets = new Set([`pool/${name}`, ...machines.map((machine) => `machine/${machine.name}`)]);
  return runs.filter((run) => run.space === space && targets.has(run.target));
}

export function PoolState({ pool: { ready, wanted, problem, atMs } }: { readonly pool: PoolView }) {
  if (problem !== null) return <State tone="bad" word="not known" title={problem.message} />;
  if (atMs === null) return <State tone="busy" word="asking" />;
  return ready < wanted ? <State tone="warn" word="short" /> : <State tone="good" word="whole" />;
}

/** Pools of machines, and what is done about those that are short of some. */
export function PoolTable({ pools, runs }: PoolTableProps) {
  if (pools === null) return null;
  const columns: readonly Column<PoolView>[] = [
    {
      name: "pool",
      cell: (pool) => (
        <Link to={poolPath(pool)}>
          <span class="muted">{pool.space}/</span>
          {pool.name}
        </Link>
      ),
    },
    { name: "state", cell: (pool) => <PoolState pool={pool} /> },
    { name: "ready", isNumber: true, cell: ({ ready, wanted }) => `${ready}/${wanted}` },
    { name: "provider", isMinor: true, cell: ({ provider }) => provider },
    { name: "answered", isMinor: true, cell: ({ atMs }) => <Age atMs={atMs} /> },
    {
      name: "what is done",
      isWide: true,
      cell: (pool) => {
        const [run] = runsOf(pool, runs);
        if (run === undefined) return <span class="muted">{visibleText(pool.problem?.message ?? "")}</span>;
        return (
          <>
            <RunState state={run.state} /> <Link to={escalatorPath(run.space, `runs/${run.id}`)}>escalation of {run.target}</Link>
          </>
        );
      },
    },
  ];
  return (
    <Section title="Pools" note={String(pools.length)} command={`drover pool ls${space.value === null ? "" : ` --space ${space.value}`}`}>
      {pools.length === 0 ? (
        <Nothing>
          There are no pools. A manifest with <code>pool:</code> declares one, whose machines a provider makes and mends.
        </Nothing>
      ) : (
        <Rows label="Pools" rows={pools} columns={columns} keyOf={({ space, name }) => `${space}/${name}`} />
      )}
    </Section>
  );
}
