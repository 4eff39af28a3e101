import { useState } from "preact/hooks";
import type { LadderView } from "#model/api-escalations.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { dateTime } from "../../parts/format.ts";
import { State } from "../../parts/state.tsx";
import type { SpaceEscalations } from "./escalator-page.tsx";

const pauses = [
  ["15m", 15 * 60_000],
  ["1h", 3_600_000],
  ["8h", 8 * 3_600_000],
  ["3d", 3 * 86_400_000],
] as const;

/** Whether the ladder acts, and the switches for that. */
export function LadderState({ scene, ladder }: { readonly scene: SpaceEscalations; readonly ladder: LadderView }) {
  const { space, reload } = scene;
  const post = (what: string, body: unknown) => call("POST", apiPath(["spaces", space, what]), { body });
  const pause = ladder.pauses.find(({ target }) => target === "space");
  return (
    <>
      {pause !== undefined && <State tone="warn" word={`paused by ${pause.by} until ${dateTime(pause.untilMs)}`} />}
      {ladder.isDryRun && <State tone="warn" word="dry run: nothing is done" />}
      {pause === undefined && !ladder.isDryRun && <State tone="good" word="acts" />}
      <span class="grow" />
      <span class="actions">
        {pause === undefined ? (
          <Pause space={space} run={(forMs) => post("pause", { target: "space", forMs })} onDone={reload} />
        ) : (
          <Action
            label="Resume"
            explains="Ends the pause: what fails is mended again, as the ladder says."
            command={`drover ladder resume --space ${space}`}
            run={() => post("resume", { target: "space" })}
            onDone={reload}
          />
        )}
        <Action
          label={ladder.isDryRun ? "End dry run" : "Dry run"}
          explains={
            ladder.isDryRun
              ? "Escalations act again."
              : "The same is decided and written down, and nothing is done, until the dry run is ended."
          }
          command={`drover ladder dry-run ${ladder.isDryRun ? "off" : "on"} --space ${space}`}
          run={() => post("dry-run", { isDryRun: !ladder.isDryRun })}
          onDone={reload}
        />
      </span>
    </>
  );
}

interface PauseProps {
  readonly space: string;
  readonly run: (forMs: number) => Promise<unknown>;
  readonly onDone: () => void;
}

function Pause({ space, run, onDone }: PauseProps) {
  const [chosen, setChosen] = useState<string>("1h");
  const forMs = pauses.find(([name]) => name === chosen)?.[1] ?? 3_600_000;
  return (
    <Action
      label="Pause"
      explains="Nothing acts in this space until the pause ends, which it does by itself. Checks go on."
      command={`drover ladder pause --for ${chosen} --space ${space}`}
      run={() => run(forMs)}
      onDone={onDone}
    >
      <label>
        <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          {pauses.map(([name]) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        long
      </label>
    </Action>
  );
}
