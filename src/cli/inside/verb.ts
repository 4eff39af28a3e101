import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { runInside } from "./session.ts";

interface Options {
  readonly process?: string;
  readonly instance?: string;
  readonly terminal?: boolean;
}

/** What the two commands that run something inside an app take and do alike. */
export function insideVerb({
  isFresh,
  process,
  help,
}: {
  /** Beside the instances rather than in one of them. */
  readonly isFresh: boolean;
  /** What `--process` chooses. */
  readonly process: string;
  /** Printed below the options. */
  readonly help: string;
}): Required<Verb<Options>> {
  return {
    takesCommand: true,
    configure: (command) =>
      command
        .argument("<app>", "the app")
        .argument("[command...]", "what to run (default: a shell)")
        .option("--process <name>", process)
        .option("--no-terminal", "without a terminal, even if there is one")
        .addHelpText("after", `\n${help}`),
    run: (session, { args: [name, ...command], options: { process: processName, instance, terminal } }) => {
      const { space, app } = appReference(name, session.common.space);
      return runInside(session, {
        path: apiPath(["spaces", space, "apps", app, "exec"]),
        where: {
          fresh: isFresh,
          ...(processName === undefined ? {} : { process: processName }),
          ...(instance === undefined ? {} : { instance }),
        },
        command,
        wantsTerminal: terminal !== false,
      });
    },
  };
}
