import { appReference, wholeNumber } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) => command.argument("<app>", "the app").argument("[release]", "the release to go back to (default: the one before)"),
  run: (session, { args: [app, release] }) =>
    changeApp(session, appReference(app, session.common.space), {
      method: "POST",
      action: "rollback",
      body: release === undefined ? {} : { to: wholeNumber(release.replace(/^v/, ""), "the release", 1, 999_999_999) },
      makesRelease: true,
      done: "rolled back",
      already: "is there already",
    }),
} satisfies Verb;
