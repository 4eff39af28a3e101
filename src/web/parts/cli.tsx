import { signal } from "@preact/signals";
import { useState } from "preact/hooks";

/** What a screen reader is told without anything moving. */
export const announcement = signal("");

interface CopyProps {
  readonly command: string;
  readonly isShown?: boolean;
}

/** The command that does, or shows, the same; a click copies it. */
export function CopyCli({ command, isShown = false }: CopyProps) {
  return <Copy text={command} label="copy as CLI" title={`Copy: ${command}`} isShown={isShown} />;
}

/** Text that is needed elsewhere; a click copies it. */
export function CopyText({ text }: { readonly text: string }) {
  return <Copy text={text} label="copy" title="Copy" isShown />;
}

interface CopyButtonProps {
  readonly text: string;
  readonly label: string;
  readonly title: string;
  readonly isShown: boolean;
}

function Copy({ text, label, title, isShown }: CopyButtonProps) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    announcement.value = "copied";
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button type="button" class={isShown ? "cli shown" : "cli"} title={title} onClick={() => void copy()}>
      {isShown && <code>{text}</code>}
      <span>{isCopied ? "copied" : label}</span>
    </button>
  );
}
