import type { ComponentChildren } from "preact";
import { go, path } from "../state/location.ts";
import { webAddress } from "./format.ts";

interface LinkProps {
  readonly to: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly title?: string | undefined;
  /** Says that it leads to where the page is, for navigation. */
  readonly isCurrent?: boolean;
}

/** A link within the site: drawn at once, and still one that opens in another tab. */
export function Link({ to, children, class: className, title, isCurrent }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  const isHere = isCurrent ?? path.value === to;
  return (
    <a href={to} onClick={onClick} class={className} title={title} aria-current={isHere ? "page" : undefined}>
      {children}
    </a>
  );
}

/** An address that came from outside: a link if it is one of the web, else text. */
export function OutsideLink({ url }: { readonly url: string }) {
  const address = webAddress(url);
  if (address === null) return <span class="mono">{url}</span>;
  return (
    <a href={address} target="_blank" rel="noreferrer noopener" class="mono">
      {url}
    </a>
  );
}
