import type { ProcessName } from "./names.ts";

/** The process that `needs` and an app's own name lead to: `web`, else the first by name. @param ported those of the app that have a port. */
export function servingProcess(ported: Iterable<ProcessName>): ProcessName | null {
  const names = [...ported].sort();
  const web = "web" as ProcessName;
  return names.includes(web) ? web : (names[0] ?? null);
}
