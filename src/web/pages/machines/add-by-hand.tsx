import { useState } from "preact/hooks";
import type { MachineToken, MachineView } from "#model/api-machines.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { CopyText } from "../../parts/cli.tsx";
import { span } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { NameField } from "../../parts/name-field.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { nowMs } from "../../state/clock.ts";
import { machinePath } from "../../state/location.ts";
import { labelChange } from "./machine-words.ts";

/** A token for a machine that nobody reaches by SSH, and what to do with it there. */
export function AddByHand({ machines }: { readonly machines: readonly MachineView[] }) {
  const [name, setName] = useState("");
  const [labels, setLabels] = useState("");
  const [made, setMade] = useState<MachineToken | null>(null);
  const change = labelChange({}, labels);
  const body = { machine: name, labels: change?.labels ?? {} };
  const words = (change?.words ?? []).flatMap((word) => ["--label", word]);
  return (
    <Section
      title="By hand"
      tools={
        <Action
          label="Make a token"
          explains="Good once, for a machine of this name, within 15 minutes."
          command={["drover machine token", name === "" ? "NAME" : name, ...words].join(" ")}
          run={async () => setMade(await call<MachineToken>("POST", apiPath(["machine-tokens"]), { body }))}
        >
          <NameField value={name} example="m2" onChange={setName} />
          <label>
            labels
            <input
              type="text"
              spellcheck={false}
              placeholder="zone=a disk=ssd"
              pattern="\s*([^=\s]+=\S+(\s+|$))*"
              title="KEY=VALUE, with blanks between"
              value={labels}
              onInput={(event) => setLabels(event.currentTarget.value)}
            />
          </label>
        </Action>
      }
    >
      {made === null ? (
        <p class="muted">Where there is no SSH: a token, with which one machine joins. Drover has to be installed there.</p>
      ) : (
        <Joining made={made} machine={machines.find(({ id }) => id === made.machine)} />
      )}
    </Section>
  );
}

/** What is to be done on the machine, until it is one. */
function Joining({ made, machine }: { readonly made: MachineToken; readonly machine: MachineView | undefined }) {
  const file = `${made.machine}.token`;
  const leftMs = made.expiresAtMs - nowMs.value;
  if (machine?.linked === true) {
    const missing = Object.entries(machine.isolation).filter(([, { holds }]) => !holds);
    return (
      <ul class="lines">
        <li>
          <State tone="good" word="joined" />
          <Link to={machinePath(machine.id)}>{machine.id}</Link>
          <span class="muted">
            {missing.length === 0 ? "every isolation holds there" : `without isolation of ${missing.map(([one]) => one).join(", ")}`}
          </span>
        </li>
      </ul>
    );
  }
  return (
    <>
      <ol class="steps">
        <li>
          Put the token there, in a file <code>{file}</code> that only you can read. It is shown this once.
          <CopyText text={made.token} />
        </li>
        <li>
          Start Drover there:
          <CopyText text={`drover up --join ${made.address} --token-file ${file}`} />
        </li>
      </ol>
      <p role="status">
        {leftMs > 0 ? (
          <State tone="busy" word={`waits for ${made.machine}, for which the token is good for ${span(leftMs)} more`} />
        ) : (
          <State tone="bad" word="the token is not good any more: make another" />
        )}
      </p>
    </>
  );
}
