import { appReference } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) => command.argument("<app>", "the app").option("--process <name>", "only this process"),
  run: (session, { args, options }) =>
    changeApp(session, appReference(args[0], session.common.space), {
      method: "POST",
      action: "restart",
      body: options.process === undefined ? {} : { process: options.process },
      done: "restarted",
    }),
} satisfies Verb<{ process?: string }>;
