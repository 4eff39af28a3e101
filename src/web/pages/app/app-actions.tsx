import { useState } from "preact/hooks";
import type { AppStatus } from "#model/api.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";

/** Most instances of one process that the API takes. */
const mostInstances = 10_000;

/** What can be done with the app as a whole; what cannot be done now says why. */
export function AppActions({ status }: { readonly status: AppStatus }) {
  const { space, name, stopped, health } = status;
  const reference = `${space}/${name}`;
  const post = (action: string, body: unknown = {}) => call("POST", apiPath(["spaces", space, "apps", name, action]), { body });
  const isGoing = health === "destroying" ? "It is being destroyed." : null;
  const needsRunning = isGoing ?? (stopped ? "It is stopped." : null);
  return (
    <span class="actions">
      <Scale status={status} impossible={isGoing} />
      <Action
        label="Restart"
        explains="Replaces its instances, one after another, by new ones of the same release."
        command={`drover restart ${reference}`}
        impossible={needsRunning}
        run={() => post("restart")}
      />
      {stopped ? (
        <Action
          label="Start"
          explains="Starts what was stopped."
          command={`drover start ${reference}`}
          impossible={isGoing}
          run={() => post("start")}
        />
      ) : (
        <Action
          label="Stop"
          explains="Stops all its instances. It stays declared, with its releases and its volumes; nothing answers at its addresses."
          command={`drover stop ${reference}`}
          impossible={needsRunning}
          isDangerous
          run={() => post("stop")}
        />
      )}
      <Maintenance reference={reference} impossible={isGoing} run={(body) => post("maintenance", body)} />
    </span>
  );
}

function nothingToScale({ processes }: AppStatus): string {
  return processes.length === 0 ? "It has no processes yet." : "Its processes follow their load; change `min` and `max` in its manifest.";
}

function Scale({ status, impossible }: { readonly status: AppStatus; readonly impossible: string | null }) {
  const { space, name } = status;
  const processes = status.processes.filter(({ bounds }) => bounds === null);
  const [counts, setCounts] = useState<Readonly<Record<string, number>>>({});
  const changed = processes.filter((process) => counts[process.name] !== undefined && counts[process.name] !== process.wanted);
  const instances = Object.fromEntries(changed.map((process) => [process.name, counts[process.name] ?? process.wanted]));
  const words = (changed.length === 0 ? processes : changed).map((process) => `${process.name}=${counts[process.name] ?? process.wanted}`);
  return (
    <Action
      label="Scale"
      explains="Sets how many instances of each process are wanted, until a manifest that says otherwise is applied."
      command={`drover scale ${space}/${name} ${words.join(" ")}`}
      impossible={impossible ?? (processes.length === 0 ? nothingToScale(status) : null)}
      run={() => call("POST", apiPath(["spaces", space, "apps", name, "scale"]), { body: { instances } })}
      onDone={() => setCounts({})}
    >
      {processes.map((process) => (
        <label key={process.name}>
          <input
            type="number"
            min={0}
            max={mostInstances}
            required
            value={counts[process.name] ?? process.wanted}
            onInput={(event) => setCounts({ ...counts, [process.name]: event.currentTarget.valueAsNumber })}
          />
          {process.name}
        </label>
      ))}
    </Action>
  );
}

interface MaintenanceProps {
  readonly reference: string;
  readonly impossible: string | null;
  readonly run: (body: unknown) => Promise<unknown>;
}

function Maintenance({ reference, impossible, run }: MaintenanceProps) {
  const [isOn, setOn] = useState(true);
  return (
    <Action
      label="Maintenance"
      explains="Puts a page, 503, in front of the app on its HTTP routes, or takes it away. The app runs on."
      command={`drover maintenance ${isOn ? "on" : "off"} ${reference}`}
      impossible={impossible}
      run={() => run({ on: isOn })}
    >
      <label>
        <input type="checkbox" checked={isOn} onChange={(event) => setOn(event.currentTarget.checked)} />A page stands in for the app
      </label>
    </Action>
  );
}
