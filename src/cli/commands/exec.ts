import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { runInside } from "../inside/session.ts";

interface Options {
  readonly process?: string;
  readonly instance?: string;
  readonly terminal?: boolean;
}

export default {
  takesCommand: true,
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .argument("[command...]", "what to run (default: a shell)")
      .option("--process <name>", "in an instance of this process")
      .option("--instance <name>", "in this instance, such as web.3.k3f9b")
      .option("--no-terminal", "without a terminal, even if there is one")
      .addHelpText("after", "\nExits as the command does. Examples:\n  drover exec shop\n  drover exec shop --process worker -- ls -la"),
  run: (session, { args: [name, ...command], options }) =>
    runInside(session, {
      app: appReference(name, session.common.space),
      command,
      process: options.process,
      instance: options.instance,
      fresh: false,
      wantsTerminal: options.terminal !== false,
    }),
} satisfies Verb<Options>;
