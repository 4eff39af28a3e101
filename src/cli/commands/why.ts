import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) => command.argument("<app>", "the app"),
  async run(session, { args }) {
    const { api, out, signal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const why = await api.call<{ lines: string[] }>("GET", apiPath(["spaces", space, "apps", app, "why"]), signal);
    if (out.json) out.value(why);
    else for (const line of why.lines) out.line(line);
    return 0;
  },
} satisfies Verb;
