import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { runInside } from "../inside/session.ts";

interface Options {
  readonly process?: string;
  readonly terminal?: boolean;
}

export default {
  takesCommand: true,
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .argument("[command...]", "what to run (default: a shell)")
      .option("--process <name>", "with the surroundings of this process")
      .option("--no-terminal", "without a terminal, even if there is one")
      .addHelpText(
        "after",
        "\nRuns with the artifact, environment and secrets of the active release, beside its instances. Exits as the command does.\nExample:\n  drover run shop npm run migrate",
      ),
  run: (session, { args: [name, ...command], options }) =>
    runInside(session, {
      app: appReference(name, session.common.space),
      command,
      process: options.process,
      instance: undefined,
      fresh: true,
      wantsTerminal: options.terminal !== false,
    }),
} satisfies Verb<Options>;
