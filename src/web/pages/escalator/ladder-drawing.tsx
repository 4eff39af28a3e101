import type { EscalationView, LadderView } from "#model/api-escalations.ts";
import { massFailureNotice } from "#model/ladder.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { dateTime, exactSpan } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { Section } from "../../parts/section.tsx";
import { RunState, State } from "../../parts/state.tsx";
import { escalatorPath } from "../../state/location.ts";
import { Approve, isAsked } from "./approve.tsx";
import type { SpaceEscalations } from "./escalator-page.tsx";
import { Resume } from "./ladder-state.tsx";

type Level = LadderView["levels"][number];

/** The ladder as one: the most fundamental level at the top, and on each rung who is there now. */
export function LadderDrawing({ ladder, scene }: { readonly ladder: LadderView; readonly scene: SpaceEscalations }) {
  const { space, runs, checks, reload } = scene;
  const open = runs.filter(({ outcome }) => outcome === null);
  const failing = new Set(checks.filter(({ verdict }) => verdict === "failing").map(({ name }) => name));
  const settling = open.filter((run) => whereIs(run) === null);
  const hasMassFailure = ladder.waiting.some(({ reason }) => /mass failure/i.test(reason));
  return (
    <>
      <Section
        title={`Ladder ${ladder.name}`}
        note={ladder.isDeclared ? "the most fundamental level first" : "the default, since the space declares none"}
        command={`drover ladder show --space ${space}`}
      >
        <ol class="ladder" aria-label="Levels, the most fundamental first">
          {ladder.levels.map((level, i) => (
            <Rung
              key={level.name}
              number={i + 1}
              level={level}
              space={space}
              failing={failing}
              onDone={reload}
              runs={open.filter((run) => whereIs(run) === level.name)}
            />
          ))}
        </ol>
        <p class="muted">
          What fails settles for {exactSpan(ladder.settleMs)}. At most {ladder.guards.actionsPerHour} actions an hour,{" "}
          {asShare(ladder.guards.atOnce)} of a pool at once; nothing acts while {asShare(ladder.guards.massFailure.share)} or more of at
          least {ladder.guards.massFailure.count} machines fail within {exactSpan(ladder.guards.massFailure.withinMs)}.
        </p>
      </Section>
      <Section title="Now">
        <ul class="lines">
          {settling.map((run) => (
            <li key={run.id}>
              <RunState state={run.state} />
              <Link to={escalatorPath(space, `runs/${run.id}`)}>{run.target}</Link>
              <span class="muted">{run.failed.map(({ check }) => check).join(", ")}</span>
            </li>
          ))}
          {ladder.waiting.map(({ target, reason }) => (
            <li key={target + reason}>
              <State tone="warn" word="waits" />
              <span>{target}</span>
              <span class="muted">{reason}</span>
            </li>
          ))}
          {ladder.pauses.map(({ target, by, untilMs }) => (
            <li key={target}>
              <State tone="warn" word="paused" />
              <span>{target}</span>
              <span class="muted">
                by {by} until {dateTime(untilMs)}
              </span>
              {target !== "space" && <Resume space={space} target={target} onDone={reload} />}
            </li>
          ))}
          {ladder.notices.map(({ key, text }) => (
            <li key={key}>
              <State tone="bad" word="told people" />
              <span>{text}</span>
            </li>
          ))}
          {open.length + ladder.waiting.length + ladder.pauses.length + ladder.notices.length === 0 && (
            <li>
              <State tone="good" word="nothing to mend" />
            </li>
          )}
        </ul>
        {hasMassFailure && (
          <Action
            label="Acknowledge mass failure"
            explains="Says that people have seen that many machines failed: what failed until now holds nothing back any more."
            command={`drover escalation acknowledge ${massFailureNotice} --space ${space}`}
            isDangerous
            run={() => call("POST", apiPath(["spaces", space, massFailureNotice, "acknowledge"]), { body: {} })}
            onDone={reload}
          />
        )}
      </Section>
    </>
  );
}

interface RungProps {
  readonly number: number;
  readonly level: Level;
  readonly space: string;
  readonly failing: ReadonlySet<string>;
  /** Runs that are at this level now. */
  readonly runs: readonly EscalationView[];
  readonly onDone: () => void;
}

function Rung({ number, level, space, failing, runs, onDone }: RungProps) {
  const { action } = level;
  return (
    <li class={runs.length > 0 ? "rung here" : "rung"} aria-current={runs.length > 0 ? "step" : undefined}>
      <span class="step" aria-hidden="true">
        {number}
      </span>
      <div>
        <strong>{level.name}</strong> <span class="muted">{level.scope}</span>
        <div class="mono">{action.kind === "built-in" ? action.name : action.run}</div>
        <div class="muted">
          tried {level.attempts}×, then {level.then.join(", ")}; quiet {exactSpan(level.quietMs)}; at most {exactSpan(level.timeoutMs)}
          {level.approve ? "; needs approval" : ""}
          {level.check === null ? "" : `; proved by ${level.check}`}
        </div>
      </div>
      <div>
        {level.askedBy.length > 0 && <span class="muted">asked by </span>}
        {level.askedBy.map((name) => (
          <span key={name} class={failing.has(name) ? "asked bad" : "asked"}>
            {name}
            {failing.has(name) ? " fails" : ""}
          </span>
        ))}
      </div>
      <div>
        {runs.map((run) => (
          <div key={run.id} class="line">
            <RunState state={run.state} /> <Link to={escalatorPath(space, `runs/${run.id}`)}>{run.target}</Link>
            {isAsked(run) && <Approve space={space} run={run} onDone={onDone} />}
          </div>
        ))}
      </div>
    </li>
  );
}

/** The level that a run is at; null while it settles. */
function whereIs(run: EscalationView): string | null {
  return run.at ?? (run.begunAtMs === null ? null : run.level);
}

function asShare(share: number): string {
  return share <= 1 ? `${Math.round(share * 100)} %` : String(share);
}
