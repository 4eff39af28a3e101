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
        {pause === undefined ? <Pause scene={scene} /> : <Resume space={space} target="space" onDone={reload} />}
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

/** Of the whole space, or of one of what is checked in it. */
function Pause({ scene: { space, checks, reload } }: { readonly scene: SpaceEscalations }) {
  const [chosen, setChosen] = useState<string>("1h");
  const [target, setTarget] = useState("space");
  const forMs = pauses.find(([name]) => name === chosen)?.[1] ?? 3_600_000;
  const targets = [...new Set(checks.map((check) => check.target))].filter((one) => one !== "space").sort();
  const what = target === "space" ? "in this space" : `on ${target}`;
  return (
    <Action
      label="Pause"
      explains={`Nothing acts ${what} until the pause ends, which it does by itself. Checks go on.`}
      command={["drover ladder pause", target === "space" ? "" : target, `--for ${chosen} --space ${space}`].filter(Boolean).join(" ")}
      run={() => call("POST", apiPath(["spaces", space, "pause"]), { body: { target, forMs } })}
      onDone={reload}
    >
      <label>
        <select aria-label="What is paused" value={target} onChange={(event) => setTarget(event.currentTarget.value)}>
          <option value="space">the whole space</option>
          {targets.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        for
        <select aria-label="How long" value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          {pauses.map(([name]) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </Action>
  );
}

/** Ends a pause before its time. */
export function Resume({ space, target, onDone }: { readonly space: string; readonly target: string; readonly onDone: () => void }) {
  return (
    <Action
      label="Resume"
      explains="Ends the pause: what fails is mended again, as the ladder says."
      command={["drover ladder resume", target === "space" ? "" : target, `--space ${space}`].filter(Boolean).join(" ")}
      run={() => call("POST", apiPath(["spaces", space, "resume"]), { body: { target } })}
      onDone={onDone}
    />
  );
}
