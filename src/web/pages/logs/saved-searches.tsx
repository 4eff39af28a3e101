import { useState } from "preact/hooks";
import type { SavedSearchView } from "#model/api-logs.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { quote } from "../../parts/format.ts";
import { NameField } from "../../parts/name-field.tsx";
import { setParameters } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";
import type { Scope } from "./log-scope.ts";

interface SavedSearchesProps {
  readonly space: string;
  readonly scope: Scope;
}

/** Searches that were given a name, for everybody of the space. */
export function SavedSearches({ space, scope: { q, app } }: SavedSearchesProps) {
  const path = ["spaces", space, "searches"];
  const { value, reload } = useLoad(space, (signal) => call<{ searches: SavedSearchView[] }>("GET", apiPath(path), { signal }));
  const [name, setName] = useState("");
  const searches = value?.searches ?? [];
  const chosen = searches.find((one) => one.query === q && (one.app ?? undefined) === app);
  const take = (wanted: string) => {
    const found = searches.find((one) => one.name === wanted);
    if (found !== undefined) setParameters({ q: found.query, app: found.app === null ? "" : `${space}/${found.app}` });
  };
  const command = `drover search save ${name === "" ? "NAME" : name} ${quote(q)}${app === undefined ? ` --space ${space}` : ` --app ${space}/${app}`}`;
  return (
    <>
      <select aria-label="Saved searches" value={chosen?.name ?? ""} onChange={(event) => take(event.currentTarget.value)}>
        <option value="">{searches.length === 0 ? "no saved searches" : "saved searches…"}</option>
        {searches.map((one) => (
          <option key={one.name} value={one.name}>
            {one.name}
          </option>
        ))}
      </select>
      {chosen === undefined ? (
        <Action
          label="Save"
          explains="Keeps this search under a name, for everybody who may see the space."
          command={command}
          impossible={q === "" ? "There is nothing to look for yet." : null}
          run={() => call("PUT", apiPath([...path, name]), { body: { query: q, app: app ?? null } })}
          onDone={() => {
            setName("");
            reload();
          }}
        >
          <NameField value={name} onChange={setName} />
        </Action>
      ) : (
        <Action
          label="Forget"
          explains={`Takes the saved search “${chosen.name}” away, for everybody.`}
          command={`drover search rm ${chosen.name} --space ${space}`}
          run={() => call("DELETE", apiPath([...path, chosen.name]))}
          onDone={reload}
        />
      )}
    </>
  );
}
