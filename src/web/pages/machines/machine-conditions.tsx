import type { MachineView } from "#model/api-machines.ts";
import { conditions } from "#model/conditions.ts";
import { Age } from "../../parts/age.tsx";
import { ConditionCode, Meaning } from "../../parts/condition.tsx";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { MachineState, RunState, State, VerdictState } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { escalatorPath } from "../../state/location.ts";
import type { Loaded } from "../../state/use.ts";
import type { Watched } from "../../state/watched.ts";

interface MachineConditionsProps {
  readonly machine: MachineView;
  readonly watched: Loaded<Watched>;
}

/** What is checked at a machine and done about it, and which isolation between apps holds there. */
export function MachineConditions({ machine, watched }: MachineConditionsProps) {
  const target = `machine/${machine.id}`;
  const checks = (watched.value?.checks ?? []).filter((check) => check.target === target);
  const runs = (watched.value?.runs ?? []).filter((run) => run.target === target);
  const isolation = Object.entries(machine.isolation).sort(([, a], [, b]) => Number(a.holds) - Number(b.holds));
  return (
    <Section title="Conditions" command={`drover machine show ${machine.id}`}>
      <ErrorNotice error={watched.error} />
      <ul class="lines">
        <li>
          <MachineState machine={machine} />
          <span>{standing(machine)}</span>
          {!machine.linked && <ConditionCode code="AGENT_UNLINKED" />}
          {!machine.linked && <Meaning condition={conditions.AGENT_UNLINKED} />}
        </li>
        {runs.map((run) => (
          <li key={run.space + run.id}>
            <RunState state={run.state} />
            <Link to={escalatorPath(run.space, `runs/${run.id}`)}>escalation in {run.space}</Link>
            <span class="muted">
              {run.level === null ? "" : `level ${run.at ?? run.level}, `}
              <Age atMs={run.openedAtMs} />
            </span>
          </li>
        ))}
        {checks.map((check) => (
          <li key={check.space + check.id}>
            <VerdictState verdict={check.verdict} isSilent={check.isSilent} />
            <Link to={escalatorPath(check.space, "checks")}>
              check {check.name} of {check.space}
            </Link>
            <span class="muted">
              {visibleText(check.message)}, <Age atMs={check.sinceMs} />
            </span>
          </li>
        ))}
        {isolation.map(([name, { holds, how }]) => (
          <li key={name}>
            <State tone={holds ? "good" : "warn"} word={holds ? "holds" : "does not hold"} />
            <span>isolation of {name}</span>
            <span class="muted">{how}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function standing({ linked, cordoned, draining }: MachineView): string {
  const reach = linked
    ? "its agent answers"
    : "its agent does not answer; what it ran counts as it was last heard of, until it is given up";
  if (draining) return `${reach}; what it runs goes elsewhere`;
  return cordoned ? `${reach}; it takes nothing new` : reach;
}
