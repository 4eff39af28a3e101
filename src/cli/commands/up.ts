import type { ProgramOption } from "#host/program-options.ts";
import { upOptions } from "#host/up-options.ts";
import { DroverError } from "#model/errors.ts";
import type { Verb } from "../command.ts";

/** Only its description: `bin/drover up` starts the agent without the command line in between, so that one process stays in the foreground. */
export default {
  configure: (command) => {
    for (const [name, { value, help, ...option }] of Object.entries<ProgramOption>(upOptions)) {
      if (option.isHidden === true) continue;
      command.option(
        value === null ? name : `${name} <${value.toLowerCase()}>`,
        option.isRepeated === true ? `${help}; may be repeated` : help,
      );
    }
    return command.addHelpText(
      "after",
      `
Starts the agent, which starts the server and the edge. Ctrl-C or "drover down" stops everything, apps included, and keeps all state.
Apps are reached at http://<app>.<space>.localhost and the port of --http.`,
    );
  },
  run() {
    throw new DroverError("USAGE", '"up" has to be the first word', { hint: 'Run "drover up", with options after it.' });
  },
} satisfies Verb;
