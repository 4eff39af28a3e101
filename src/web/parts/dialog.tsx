import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly class?: string;
}

/** A question in front of everything else: it keeps the keyboard, and Escape leaves it. */
export function Dialog({ title, onClose, children, class: className }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  // Before anything else can happen: what is typed right after the key that opens it belongs to it.
  useLayoutEffect(() => {
    element.current?.showModal();
  }, []);
  const onClick = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does what a click beside it does
    <dialog ref={element} aria-label={title} class={className} onClose={onClose} onClick={onClick}>
      {children}
    </dialog>
  );
}
