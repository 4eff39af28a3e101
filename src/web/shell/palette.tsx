import { useState } from "preact/hooks";
import type { AppSummary } from "#model/api.ts";
import type { MachineList } from "#model/api-machines.ts";
import { apiPath, call } from "../api/client.ts";
import { Dialog } from "../parts/dialog.tsx";
import { HealthState } from "../parts/state.tsx";
import { spaces } from "../state/installation.ts";
import { appPath, escalatorPath, go, machinePath, space } from "../state/location.ts";
import { useLoad } from "../state/use.ts";
import { destinations } from "./header.tsx";

/** Entries that are shown at once: what is further down is found by typing on. */
const longestList = 12;

interface Entry {
  readonly name: string;
  readonly kind: string;
  readonly to: string;
  readonly app?: AppSummary;
}

/** Goes anywhere by typing a part of its name. */
export function Palette({ onClose }: { readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const { value } = useLoad("palette", async (signal) => {
    const [{ apps }, { machines }] = await Promise.all([
      call<{ apps: AppSummary[] }>("GET", apiPath(["apps"]), { signal }),
      call<MachineList>("GET", apiPath(["machines"]), { signal }),
    ]);
    return { apps, machines };
  });
  const found = matching(entries(value?.apps ?? [], value?.machines ?? []), text).slice(0, longestList);
  const at = Math.min(chosen, Math.max(0, found.length - 1));
  const take = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    onClose();
    go(entry.to);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && found.length > 0) {
      event.preventDefault();
      setChosen((at + step + found.length) % found.length);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      take(found[at]);
    }
  };
  return (
    <Dialog title="Find" onClose={onClose} class="palette">
      <input
        type="text"
        role="combobox"
        aria-label="Find apps, machines, pages and spaces"
        aria-expanded="true"
        aria-controls="found"
        aria-activedescendant={found.length > 0 ? `found-${at}` : undefined}
        placeholder="app, machine, page or space"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onKeyDown={onKey}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
      />
      <div id="found" role="listbox" aria-label="Found">
        {found.map((entry, i) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus and says which option is active
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
          <div
            key={entry.kind + entry.name}
            id={`found-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => take(entry)}
            onMouseMove={() => setChosen(i)}
          >
            <span>{entry.name}</span>
            {entry.app !== undefined && <HealthState health={entry.app.health} />}
            <span class="muted">{entry.kind}</span>
          </div>
        ))}
        {found.length === 0 && <p class="nothing">Nothing has “{text}” in its name.</p>}
      </div>
    </Dialog>
  );
}

function entries(apps: readonly AppSummary[], machines: MachineList["machines"]): readonly Entry[] {
  return [
    ...destinations(space.value).map(({ name, to }) => ({ name, kind: "page", to })),
    {
      name: "Log destinations",
      kind: "page",
      to: `/logs/destinations${space.value === null ? "" : `?space=${encodeURIComponent(space.value)}`}`,
    },
    { name: "Events", kind: "page", to: "/events" },
    { name: "Conditions", kind: "page", to: "/conditions" },
    { name: "Add machines", kind: "page", to: "/add-machines" },
    { name: "Sessions", kind: "page", to: "/sessions" },
    ...spaces.value.flatMap((name) => [
      { name, kind: "space", to: `/?space=${encodeURIComponent(name)}` },
      { name: `${name} escalator`, kind: "page", to: escalatorPath(name) },
    ]),
    ...machines.map(({ id }) => ({ name: id, kind: "machine", to: machinePath(id) })),
    ...apps.flatMap((app) => [{ name: `${app.space}/${app.name}`, kind: "app", to: appPath({ space: app.space, app: app.name }), app }]),
  ];
}

/** Entries with all the letters in this order; the tighter they stand, the earlier. */
function matching(all: readonly Entry[], text: string): readonly Entry[] {
  const wanted = text.toLowerCase().replaceAll(/\s+/g, "");
  return all
    .map((entry) => ({ entry, spread: spreadOf(entry.name.toLowerCase(), wanted) }))
    .filter(({ spread }) => spread !== null)
    .sort((a, b) => (a.spread ?? 0) - (b.spread ?? 0))
    .map(({ entry }) => entry);
}

/** Letters between the first and the last one that match, and how late they begin; null if they are not all there. */
function spreadOf(name: string, wanted: string): number | null {
  if (wanted === "") return 0;
  const whole = name.indexOf(wanted);
  if (whole !== -1) return whole / 100;
  let at = -1;
  let first = -1;
  for (const letter of wanted) {
    at = name.indexOf(letter, at + 1);
    if (at === -1) return null;
    if (first === -1) first = at;
  }
  return at - first;
}
