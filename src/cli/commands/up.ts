import { DroverError } from "#model/errors.ts";
import type { Verb } from "../command.ts";

/** Only its description: `bin/drover up` starts the agent without the command line in between, so that one process stays in the foreground. */
export default {
  configure: (command) =>
    command.addHelpText(
      "after",
      `
Starts the agent, which starts the server and the edge. Ctrl-C or "drover down" stops everything, apps included, and keeps all state.

What it prints first are the addresses: the API's (http://127.0.0.1:7373) and the one under which apps are reached
(http://<app>.<space>.localhost:8080). Options go after "up"; "drover agent --help" lists them.`,
    ),
  run() {
    throw new DroverError("USAGE", '"up" has to be the first word', { hint: 'Run "drover up", with options after it.' });
  },
} satisfies Verb;
