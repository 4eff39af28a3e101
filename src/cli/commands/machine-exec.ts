import { apiPath } from "../api/client.ts";
import type { Verb } from "../command.ts";
import { runInside } from "../inside/session.ts";

export const exec = {
  summary: "run a command on a machine itself, as the user that Drover has there",
  takesCommand: true,
  configure: (command) =>
    command
      .argument("<name>", "the machine")
      .argument("[command...]", "what to run (default: a shell)")
      .option("--no-terminal", "without a terminal, even if there is one")
      .addHelpText(
        "after",
        "\nIt needs no SSH: the machine's agent runs it. It takes an owner, and is an event.\nExits as the command does. Example:\n  drover machine exec m2 -- df -h",
      ),
  run: (session, { args: [name = "", ...command], options }) =>
    runInside(session, { path: apiPath(["machines", name, "exec"]), where: {}, command, wantsTerminal: options["terminal"] !== false }),
} satisfies Verb & { summary: string };
