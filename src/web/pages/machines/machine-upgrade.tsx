import { useState } from "preact/hooks";
import type { ProgramsState } from "#model/programs.ts";
import { apiPath, call } from "../../api/client.ts";
import { CopyCli } from "../../parts/cli.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { useLoad } from "../../state/use.ts";

/**
 * Which Drover a machine runs, and the commands that take it to another. Commands alone: what a machine goes over to are the files beside the command,
 * and only that judges whether all is as well as before.
 */
export function Upgrade({ id, impossible }: { readonly id: string; readonly impossible: string | null }) {
  const [isOpen, setOpen] = useState(false);
  const title = impossible ?? "Which Drover it runs, and how it goes over to another one or back";
  return (
    <>
      <button type="button" disabled={impossible !== null} title={title} onClick={() => setOpen(true)}>
        Upgrade
      </button>
      {isOpen && <UpgradeDialog id={id} onClose={() => setOpen(false)} />}
    </>
  );
}

function UpgradeDialog({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const { value, error } = useLoad(
    id,
    (signal) => call<ProgramsState>("GET", apiPath(["machines", id, "programs"]), { signal }),
    // A trial ends without a word of anybody where the machine goes back by itself.
    { everyMs: 5_000, wakes: ({ kind, subject }) => subject === id && /^(machine|agent)\./.test(kind) },
  );
  return (
    <Dialog title="Upgrade" onClose={onClose}>
      <h2>Upgrade</h2>
      <ErrorNotice error={error} />
      {value !== null && <Programs programs={value} />}
      <p>
        This command takes the machine over to the Drover that it is run from. It says first what that means, asks, and takes the machine
        back if all is not as well as before. What runs there goes on.
      </p>
      <CopyCli command={`drover machine upgrade ${id}`} isShown />
      {value !== null && value.before !== null && (
        <>
          <p>Back to {nameOf(value.before)}, which it ran before:</p>
          <CopyCli command={`drover machine upgrade ${id} --back`} isShown />
        </>
      )}
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function Programs({ programs: { id, release, isOnTrial, refused } }: { readonly programs: ProgramsState }) {
  return (
    <ul class="lines">
      <li>
        {isOnTrial ? <State tone="warn" word="on trial" /> : <State tone="good" word="runs" />}
        <span>Drover {visibleText(release)}</span>
        <span class="muted">{nameOf({ id })}</span>
      </li>
      {refused !== null && (
        <li>
          <State tone="bad" word="went back" />
          <span>by itself, from {nameOf(refused)}</span>
          <span class="muted">{visibleText(refused.why)}</span>
        </li>
      )}
    </ul>
  );
}

function nameOf({ id }: { readonly id: string | null }): string {
  return id === null ? "what was installed by hand" : `version ${id}`;
}
