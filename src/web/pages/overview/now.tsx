import { conditions, describeCondition } from "#model/conditions.ts";
import { Age } from "../../parts/age.tsx";
import { ConditionCode, ConditionLine, Meaning } from "../../parts/condition.tsx";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { Section } from "../../parts/section.tsx";
import { HealthState, MachineState, RunState, State, VerdictState } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { appPath, escalatorPath, machinePath } from "../../state/location.ts";
import type { Attention } from "./verdict.ts";

/** Lines of one kind: beyond, the list below has them all. */
const shownOfEach = 8;

interface NowProps {
  readonly attention: Attention;
  /** Checks that there are. */
  readonly checks: number;
}

/** What somebody should look at, the most fundamental first; and whether there is nothing. */
export function Now({ attention: { silent, problems, runs, failing, troubled, deploying }, checks }: NowProps) {
  const explained = new Set<string>();
  // What ten lines have in common is said once.
  const isExplained = (code: string) => {
    const isKnown = explained.has(code);
    explained.add(code);
    return isKnown;
  };
  const isCalm = [silent, problems, runs, failing, troubled, deploying].every((kind) => kind.length === 0);
  return (
    <Section title="Now" command="drover status">
      <ul class="lines" aria-label="Now">
        {isCalm && (
          <li>
            <State tone="good" word="nothing" />
            <span class="muted">
              needs anybody; {checks === 0 ? "no checks are declared" : `${count(checks, "check")} ${checks === 1 ? "holds" : "hold"}`}
            </span>
          </li>
        )}
        {silent.slice(0, shownOfEach).map((machine) => (
          <li key={machine.id}>
            <MachineState machine={machine} />
            <Link to={machinePath(machine.id)}>{machine.id}</Link>
            <span class="muted">{machine.instances === 0 ? "" : `ran ${count(machine.instances, "instance")}`}</span>
            <ConditionCode code="AGENT_UNLINKED" />
            {!isExplained("AGENT_UNLINKED") && <Meaning condition={conditions.AGENT_UNLINKED} />}
          </li>
        ))}
        <More shown={shownOfEach} of={silent.length} what="machine that does not answer" many="machines that do not answer" />
        {problems.map(({ code, message }) => (
          <ConditionLine key={code + message} code={code} message={message} isExplained={isExplained(code)}>
            {code.startsWith("LOGS_") && <Link to="/logs/destinations">destinations of logs</Link>}
          </ConditionLine>
        ))}
        {runs.slice(0, shownOfEach).map((run) => (
          <li key={run.space + run.id}>
            <RunState state={run.state} />
            <Link to={escalatorPath(run.space, `runs/${run.id}`)}>
              escalation of {run.target} in {run.space}
            </Link>
            <span class="muted">
              {run.level === null ? "" : `level ${run.at ?? run.level}, `}
              {run.waitingFor === null ? "" : `waits: ${visibleText(run.waitingFor)}, `}
              <Age atMs={run.openedAtMs} />
            </span>
          </li>
        ))}
        <More shown={shownOfEach} of={runs.length} what="escalation" />
        {failing.slice(0, shownOfEach).map((check) => (
          <li key={check.space + check.id}>
            <VerdictState verdict={check.verdict} />
            <Link to={`${escalatorPath(check.space, "checks")}?check=${encodeURIComponent(check.id)}`}>
              check {check.id} in {check.space}
            </Link>
            <span class="muted">
              {visibleText(check.message)}, <Age atMs={check.sinceMs} />
            </span>
          </li>
        ))}
        <More shown={shownOfEach} of={failing.length} what="failing check" />
        {troubled.slice(0, shownOfEach).map((app) => (
          <li key={`${app.space}/${app.name}`}>
            <HealthState health={app.health} />
            <Link to={appPath({ space: app.space, app: app.name })}>
              {app.space}/{app.name}
            </Link>
            <Why app={app} isExplained={isExplained(app.reasons[0]?.code ?? "")} />
          </li>
        ))}
        <More shown={shownOfEach} of={troubled.length} what="app in trouble" many="apps in trouble" />
        {deploying.slice(0, shownOfEach).map((app) => (
          <li key={`${app.space}/${app.name} deploys`}>
            <State tone="busy" word="deploying" />
            <Link to={appPath({ space: app.space, app: app.name })}>
              {app.space}/{app.name}
            </Link>
            <span class="muted">
              release {app.rollout?.release} has {Math.round((app.rollout?.weight ?? 0) * 100)} % of the traffic
              {app.rollout?.waitingFor[0] === undefined ? "" : `, waits for ${visibleText(app.rollout.waitingFor[0])}`}
            </span>
          </li>
        ))}
        <More shown={shownOfEach} of={deploying.length} what="deploy" />
      </ul>
    </Section>
  );
}

interface WhyProps {
  readonly app: Attention["troubled"][number];
  /** Another line says what its code means. */
  readonly isExplained: boolean;
}

function Why({ app: { reasons, ready, wanted }, isExplained }: WhyProps) {
  const [reason] = reasons;
  if (reason === undefined)
    return (
      <span class="muted">
        {ready} of {wanted} ready
      </span>
    );
  return (
    <>
      <span>{visibleText(reason.message)}</span>
      <ConditionCode code={reason.code} />
      {!isExplained && <Meaning condition={describeCondition(reason.code)} />}
    </>
  );
}

function More({ shown, of, what, many }: { readonly shown: number; readonly of: number; readonly what: string; readonly many?: string }) {
  if (of <= shown) return null;
  return <li class="muted">and {count(of - shown, `more ${what}`, many === undefined ? undefined : `more ${many}`)}</li>;
}
