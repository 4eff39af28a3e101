import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LinkRoutes } from "#link/serve.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { type AppId, namePattern } from "#model/names.ts";

export interface DestroyedAppsOptions {
  /** Holds the volumes of all apps, as `<space>/<app>/<name>`. */
  readonly volumesFolder: string;
  /** Whether an order or an instance of the app is still here. */
  readonly holds: (app: AppId) => boolean;
  readonly forgetLogs: (app: AppId) => Promise<void>;
}

/** Removes what outlives an app's instances: its volumes and its lines. An app of the same name must find nothing of it. Idempotent. */
export function destroyedAppRoutes({ volumesFolder, holds, forgetLogs }: DestroyedAppsOptions): LinkRoutes {
  return {
    "DELETE /apps/:app": async (call) => {
      const id = call.params["app"] ?? "";
      const [space = "", app = "", ...rest] = id.split("/");
      // It becomes a path that is removed with all below it.
      if (!namePattern.test(space) || !namePattern.test(app) || rest.length > 0)
        throw new DroverError("REQUEST_INVALID", `"${id}" is no app of a space`);
      if (holds(id as AppId)) throw new DroverError("CONFLICT", `"${id}" still has workloads on this machine`);
      // Moved away first: should the caller give up while much is removed, a new app of that name must not lose its files to it.
      const doomed = join(volumesFolder, space, `.${app}`);
      await rm(doomed, { recursive: true, force: true });
      await rename(join(volumesFolder, space, app), doomed).catch((error: unknown) => {
        if (!hasCode(error, "ENOENT")) throw error;
      });
      await rm(doomed, { recursive: true, force: true });
      await forgetLogs(id as AppId);
      return null;
    },
  };
}
