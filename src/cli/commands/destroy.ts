import type { AppStatus } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { describeApp } from "../output/app-line.ts";
import { confirm } from "../prompt.ts";
import { until } from "../wait/until.ts";

/** Draining and stopping take at most their own times, 20 s by default; an app may ask for longer ones. */
const defaultTimeoutMs = 10 * 60_000;

export default {
  configure: (command) => command.argument("<app>", "the app"),
  async run(session, { args }) {
    const { api, out, common, progress, signal } = session;
    const { space, app } = appReference(args[0], common.space);
    const path = apiPath(["spaces", space, "apps", app]);
    // Asked first, so that a name that does not exist is not asked about.
    await api.call<AppStatus>("GET", path, signal);
    await confirm(session, `this destroys the app "${space}/${app}" with its releases and volumes`, app);
    const changed = await api.call("DELETE", path, signal);
    if (!common.detach) {
      await until(
        session,
        { timeoutMs: common.timeoutMs ?? defaultTimeoutMs, late: () => ({ message: `"${space}/${app}" was not gone` }) },
        async () => {
          const seen = await whileThere<AppStatus>(() => api.call<AppStatus>("GET", path, signal));
          if (seen === null) return true;
          progress.show(describeApp(seen));
          return null;
        },
      );
      progress.clear();
    }
    if (out.json) out.value(changed ?? { space, app });
    else out.line(common.detach ? `destroying ${space}/${app}; it goes on by itself` : `destroyed ${space}/${app}`);
    return 0;
  },
} satisfies Verb;

async function whileThere<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof DroverError && error.code === "APP_NOT_FOUND") return null;
    throw error;
  }
}
