/** What the page's policy wants of a style sheet that a script makes; the server gives each page another. */
export function styleNonce(): string {
  return document.querySelector<HTMLLinkElement>("link#style")?.nonce ?? "";
}

/**
 * Runs something of a library that makes style elements of its own and has no option for the nonce, as xterm.js has none
 * (https://github.com/xtermjs/xterm.js/issues/4445): each gets it as it is made, since one that is in the page already would be refused.
 */
export function withStyleNonce(run: () => void): void {
  const original = document.createElement;
  const stamped = (name: string, options?: ElementCreationOptions) => {
    const element = original.call(document, name, options);
    if (element instanceof HTMLStyleElement) element.nonce = styleNonce();
    return element;
  };
  document.createElement = stamped as typeof document.createElement;
  try {
    run();
  } finally {
    document.createElement = original;
  }
}
