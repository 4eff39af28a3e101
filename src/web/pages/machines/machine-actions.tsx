import { useState } from "preact/hooks";
import type { MachineView } from "#model/api-machines.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { count } from "../../parts/format.ts";
import { go } from "../../state/location.ts";
import { Upgrade } from "./machine-upgrade.tsx";
import { labelChange, labelText } from "./machine-words.ts";

interface MachineActionsProps {
  readonly machine: MachineView;
  readonly onDone: () => void;
}

/** What can be done with a machine; what cannot be done now says why. */
export function MachineActions({ machine, onDone }: MachineActionsProps) {
  const { id, cordoned, draining } = machine;
  const change = (body: unknown) => () => call("PATCH", apiPath(["machines", id]), { body });
  return (
    <span class="actions">
      {cordoned || draining ? (
        <Action
          label="Uncordon"
          explains={draining ? "Ends the drain: what is still here stays, and it takes instances again." : "It takes instances again."}
          command={`drover machine uncordon ${id}`}
          run={change({ cordoned: false, draining: false, forced: false })}
          onDone={onDone}
        />
      ) : (
        <Action
          label="Cordon"
          explains="It takes nothing new; what it runs stays."
          command={`drover machine cordon ${id}`}
          run={change({ cordoned: true })}
          onDone={onDone}
        />
      )}
      <Drain machine={machine} onDone={onDone} />
      <Labels machine={machine} onDone={onDone} />
      <Upgrade id={id} impossible={machine.linked ? null : "It does not answer."} />
      <Remove machine={machine} />
    </span>
  );
}

/** Once it drains, what stays because of its volumes can still be stopped. */
function Drain({ machine: { id, draining, forced, instances, bound, volumesOf }, onDone }: MachineActionsProps) {
  const [isChosen, setChosen] = useState(false);
  const isForced = bound > 0 && isChosen;
  const impossible = !draining ? null : forced || bound === 0 ? "It is being drained." : null;
  return (
    <Action
      label="Drain"
      explains={`Nothing new comes here, and what it runs (${count(instances, "instance")}) moves: each is replaced on another machine first, then leaves its routes, finishes what it has, and stops.`}
      command={`drover machine drain ${id}${isForced ? " --force" : ""}`}
      impossible={impossible}
      isDangerous
      run={() => call("PATCH", apiPath(["machines", id]), { body: { cordoned: true, draining: true, forced: isForced } })}
      onDone={onDone}
    >
      {bound > 0 && (
        <>
          <p>
            {count(bound, "instance")} of {volumesOf.join(", ")} {bound === 1 ? "stays and goes" : "stay and go"} on running, because{" "}
            {bound === 1 ? "its volumes are" : "their volumes are"} here.
          </p>
          <label>
            <input type="checkbox" checked={isChosen} onChange={(event) => setChosen(event.currentTarget.checked)} />
            stop {bound === 1 ? "it" : "them"} until {id} takes instances again
          </label>
        </>
      )}
    </Action>
  );
}

function Labels({ machine: { id, labels }, onDone }: MachineActionsProps) {
  const [text, setText] = useState<string | null>(null);
  const change = labelChange(labels, text ?? labelText(labels));
  const words = change?.words ?? [];
  return (
    <Action
      label="Labels"
      explains="Say what it is, for apps that ask for it and for spreading over. What runs where it may not any more moves, step by step."
      command={`drover machine label ${id} ${words.length === 0 ? "KEY=VALUE" : words.join(" ")}`}
      run={() => call("PATCH", apiPath(["machines", id]), { body: { labels: change?.labels ?? {} } })}
      onDone={() => {
        setText(null);
        onDone();
      }}
    >
      <label>
        <input
          type="text"
          class="grow"
          aria-label="Labels"
          placeholder="zone=a disk=ssd"
          pattern="\s*([^=\s]+=\S+(\s+|$))*"
          title="KEY=VALUE, with blanks between"
          value={text ?? labelText(labels)}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
    </Action>
  );
}

function Remove({ machine: { id, joined, linked, instances, volumesOf } }: { readonly machine: MachineView }) {
  const isBusy = linked && instances > 0;
  const [isForced, setForced] = useState(false);
  return (
    <Action
      label="Remove"
      explains="Forgets the machine: its certificate is worth nothing from then on, and what it ran is started on others. What runs there goes on until Drover is stopped there."
      command={`drover machine remove ${id}${isBusy && isForced ? " --force" : ""}`}
      impossible={joined ? null : "It has not joined: the server runs there."}
      isDangerous
      run={() => call("DELETE", apiPath(["machines", id], isBusy && isForced ? { force: true } : {}))}
      onDone={() => go("/machines")}
    >
      {volumesOf.length > 0 && (
        <p class="warn">
          Volumes of {volumesOf.join(", ")} are here alone. They stay on its disks, and whatever runs elsewhere begins without them.
        </p>
      )}
      {isBusy && (
        <label>
          <input type="checkbox" checked={isForced} onChange={(event) => setForced(event.currentTarget.checked)} />
          although it runs {count(instances, "instance")}
        </label>
      )}
    </Action>
  );
}
