import { appReference } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) => command.argument("<app>", "the app"),
  run: (session, { args }) =>
    changeApp(session, appReference(args[0], session.common.space), {
      method: "POST",
      action: "start",
      done: "started",
      already: "is not stopped",
    }),
} satisfies Verb;
