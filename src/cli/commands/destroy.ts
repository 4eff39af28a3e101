import type { AppStatus, Changed } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { confirm } from "../prompt.ts";
import { waitUntilGone } from "../wait/gone.ts";

export default {
  configure: (command) => command.argument("<app>", "the app"),
  async run(session, { args }) {
    const { api, out, common, signal } = session;
    const { space, app } = appReference(args[0], common.space);
    const path = apiPath(["spaces", space, "apps", app]);
    // Asked first, so that nobody has to confirm the end of what does not exist.
    await api.call<AppStatus>("GET", path, signal);
    await confirm(session, `this destroys the app "${space}/${app}" with its releases and volumes`, app);
    const changed = await api.call<Changed>("DELETE", path, signal);
    if (!common.detach) await waitUntilGone(session, [{ space, app }]);
    if (out.json) out.value(changed);
    else out.line(common.detach ? `destroying ${space}/${app}; it goes on by itself` : `destroyed ${space}/${app}`);
    return 0;
  },
} satisfies Verb;
