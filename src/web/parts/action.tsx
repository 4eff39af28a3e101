import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../api/client.ts";
import { announcement, CopyCli } from "./cli.tsx";
import { Dialog } from "./dialog.tsx";
import { ErrorNotice } from "./notice.tsx";

interface ActionProps {
  readonly label: string;
  /** What it will do, as a sentence. */
  readonly explains: string;
  /** The command that does the same. */
  readonly command: string;
  readonly run: () => Promise<unknown>;
  /** Why it cannot be done now; null when it can. */
  readonly impossible?: string | null;
  readonly isDangerous?: boolean;
  /** What else is to be chosen. */
  readonly children?: ComponentChildren;
  readonly onDone?: () => void;
}

/** A button that changes something: says what, shows the command that does the same, and asks. */
export function Action({ label, explains, command, run, impossible = null, isDangerous = false, children, onDone }: ActionProps) {
  const [isOpen, setOpen] = useState(false);
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const close = () => {
    setOpen(false);
    setError(null);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setError(null);
    try {
      await run();
      announcement.value = `${label}: done`;
      close();
      onDone?.();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setRunning(false);
    }
  };
  return (
    <>
      <button type="button" disabled={impossible !== null} title={impossible ?? explains} onClick={() => setOpen(true)}>
        {label}
      </button>
      {isOpen && (
        <Dialog title={label} onClose={close}>
          <form onSubmit={(event) => void submit(event)}>
            <h2>{label}</h2>
            <p>{explains}</p>
            {children}
            <CopyCli command={command} isShown />
            <ErrorNotice error={error} />
            <div class="buttons">
              <button type="button" onClick={close}>
                Cancel
              </button>
              <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={isRunning}>
                {isRunning ? "…" : label}
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
