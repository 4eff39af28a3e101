import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { CopyCli } from "./cli.tsx";

interface SectionProps {
  readonly title: string;
  /** How many there are of it, behind the title. */
  readonly note?: string;
  /** The command that shows the same. */
  readonly command?: string;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A part of a page under a heading. */
export function Section({ title, note, command, tools, children }: SectionProps) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <div class="heading">
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span class="muted">{note}</span>}
        <span class="tools">
          {tools}
          {command !== undefined && <CopyCli command={command} />}
        </span>
      </div>
      {children}
    </section>
  );
}
