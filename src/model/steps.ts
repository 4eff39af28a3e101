import type { AppId, AppName, SpaceName } from "./names.ts";
import { appId } from "./names.ts";

/** The app of a space under which the commands of its ladder run. No person can give an app this name, because it is no DNS label. */
export const stepsApp = "_steps" as AppName;

export function stepsAppId(space: SpaceName): AppId {
  return appId(space, stepsApp);
}

export function isStepsApp(app: AppId): boolean {
  return app.endsWith(`/${stepsApp}`);
}
