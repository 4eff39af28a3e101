import type { App } from "#model/app.ts";

/** Whether an app declares anything for the Escalator. */
export function hasChecks({ manifest }: Pick<App, "manifest">): boolean {
  return manifest["checks"] !== undefined || manifest["escalate"] !== undefined;
}
