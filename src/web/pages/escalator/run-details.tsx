import type { EscalationView } from "#model/api-escalations.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { dateTime, exactSpan } from "../../parts/format.ts";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { RunState, State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { useLoad } from "../../state/use.ts";
import { Approve, isAsked, isNotAsked } from "./approve.tsx";
import type { SpaceEscalations } from "./escalator-page.tsx";
import { type Moment, timelineOf } from "./timeline.ts";

/** One escalation from what failed to how it ended, and what a person can do about it now. */
export function RunDetails({ scene, id }: { readonly scene: SpaceEscalations; readonly id: string }) {
  const { space } = scene;
  const known = scene.runs.find((run) => run.id === id);
  const { value, error, reload } = useLoad(`${space} ${id} ${known?.revision ?? 0}`, (signal) =>
    call<EscalationView>("GET", apiPath(["spaces", space, "escalations", id]), { signal }),
  );
  const run = value ?? known;
  const onDone = () => {
    reload();
    scene.reload();
  };
  return (
    <Section
      title={`Escalation of ${run?.target ?? ""}`}
      note={id}
      command={`drover escalation show ${id} --space ${space}`}
      tools={run !== undefined && <RunActions space={space} run={run} onDone={onDone} />}
    >
      <ErrorNotice error={error} />
      {run !== undefined && (
        <>
          <p class="line">
            <RunState state={run.state} />
            {run.isDryRun && <State tone="warn" word="dry run" />}
            {run.at !== null && <span>at level {run.at}</span>}
            {run.waitingFor !== null && <span>waits: {run.waitingFor}</span>}
          </p>
          <ol class="timeline" aria-label="What happened">
            {timelineOf(run).map((moment) => (
              <Entry key={`${moment.atMs} ${moment.word} ${moment.text}`} moment={moment} />
            ))}
          </ol>
        </>
      )}
    </Section>
  );
}

function Entry({ moment: { atMs, tone, word, text, output, tookMs } }: { readonly moment: Moment }) {
  return (
    <li>
      <time class="mono" dateTime={new Date(atMs).toISOString()}>
        {dateTime(atMs)}
      </time>
      <State tone={tone} word={word} />
      <div>
        {visibleText(text)}
        {tookMs !== undefined && <span class="muted"> in {exactSpan(tookMs)}</span>}
        {output !== undefined && output !== "" && <pre class="output">{output.split("\n").map(visibleText).join("\n")}</pre>}
      </div>
    </li>
  );
}

interface RunActionsProps {
  readonly space: string;
  readonly run: EscalationView;
  readonly onDone: () => void;
}

/** What a person can decide now; what not says why. */
function RunActions({ space, run, onDone }: RunActionsProps) {
  const { id, state, outcome } = run;
  const verb = (name: "approve" | "acknowledge" | "stop", body: unknown = {}) => ({
    command: `drover escalation ${name} ${id} --space ${space}`,
    run: () => call("POST", apiPath(["spaces", space, "escalations", id, name]), { body }),
    onDone,
  });
  const notAsked = isAsked(run) ? null : isNotAsked;
  const end = outcome === null ? null : "It has ended.";
  return (
    <span class="actions">
      <Approve space={space} run={run} onDone={onDone} />
      <Action
        label="Refuse"
        explains="The level is not done; people are told."
        impossible={notAsked}
        isDangerous
        {...verb("approve", { isApproved: false })}
        command={`drover escalation refuse ${id} --space ${space}`}
      />
      <Action
        label="Acknowledge"
        explains="Takes note that it ended with people: from now on its target may be acted on again."
        impossible={state === "needs-human" ? null : "It does not wait for anybody to take note."}
        {...verb("acknowledge")}
      />
      <Action label="Stop" explains="Ends what it does now; nothing follows." impossible={end} isDangerous {...verb("stop")} />
    </span>
  );
}
