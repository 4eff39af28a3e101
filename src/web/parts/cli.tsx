import { signal } from "@preact/signals";
import { useState } from "preact/hooks";

/** What a screen reader is told without anything moving. */
export const announcement = signal("");

/** The command that does, or shows, the same; a click copies it. */
export function CopyCli({ command, isShown = false }: { readonly command: string; readonly isShown?: boolean }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    announcement.value = `copied: ${command}`;
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button type="button" class={isShown ? "cli shown" : "cli"} title={`Copy: ${command}`} onClick={() => void copy()}>
      {isShown && <code>{command}</code>}
      <span>{isCopied ? "copied" : "copy as CLI"}</span>
    </button>
  );
}
