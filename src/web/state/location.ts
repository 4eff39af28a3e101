import { computed, signal } from "@preact/signals";

/** The address of the page is where all that is chosen is kept: it can be sent to somebody, and Back goes back. */
const href = signal(location.href);

export const url = computed(() => new URL(href.value));
export const path = computed(() => url.value.pathname);
/** The space that the page is about; null: all of them. */
export const space = computed(() => /^\/spaces\/([^/]+)/.exec(path.value)?.[1] ?? url.value.searchParams.get("space"));

addEventListener("popstate", () => {
  href.value = location.href;
});

/** Goes to a path of this site. @param isReplacing without a step for Back, as typing into a filter does */
export function go(to: string, isReplacing = false): void {
  const target = new URL(to, location.href);
  if (target.origin !== location.origin) return;
  if (target.href === location.href) return;
  history[isReplacing ? "replaceState" : "pushState"](null, "", target);
  const isOtherPage = target.pathname !== path.value;
  href.value = location.href;
  if (isOtherPage && !isReplacing) scrollTo(0, 0);
}

/** A parameter of the address; empty when it is not there. */
export function parameter(name: string): string {
  return url.value.searchParams.get(name) ?? "";
}

/** All values of a parameter that may be there several times. */
export function parameters(name: string): readonly string[] {
  return url.value.searchParams.getAll(name);
}

export function setParameterList(name: string, values: readonly string[]): void {
  const target = new URL(url.value);
  target.searchParams.delete(name);
  for (const value of values) target.searchParams.append(name, value);
  go(target.href, true);
}

/** Sets parameters of the address; empty ones go. */
export function setParameters(changes: Readonly<Record<string, string>>): void {
  const target = new URL(url.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") target.searchParams.delete(name);
    else target.searchParams.set(name, value);
  }
  go(target.href, true);
}

export function appPath(of: { readonly space: string; readonly app: string }, tab = ""): string {
  return `/spaces/${encodeURIComponent(of.space)}/apps/${encodeURIComponent(of.app)}${tab === "" ? "" : `/${tab}`}`;
}

export function escalatorPath(of: string, tab = ""): string {
  return `/spaces/${encodeURIComponent(of)}/escalator${tab === "" ? "" : `/${tab}`}`;
}

export function machinePath(machine: string): string {
  return `/machines/${encodeURIComponent(machine)}`;
}

/** What the catalogue says of a code. */
export function conditionPath(code: string): string {
  return `/conditions?q=${encodeURIComponent(code)}`;
}

export function poolPath(of: { readonly space: string; readonly name: string }): string {
  return `/spaces/${encodeURIComponent(of.space)}/pools/${encodeURIComponent(of.name)}`;
}
