import type { Command } from "commander";
import { upOptions } from "#host/up-options.ts";
import type { Verb } from "../command.ts";
// Types alone: what goes to hosts is loaded when it does.
import type { AddOptions } from "../ssh/add-command.ts";

/** As many logins as an SSH server takes at once before it turns some away (`MaxStartups 10:30:100`): all may go through one jump host. */
const usualParallel = "10";

const gathered = (one: string, all: string[] = []) => [...all, one];

/** What every command that goes to hosts takes. */
export function addSshOptions(command: Command): Command {
  return command
    .option("--jump <hosts>", "go through these, as [user@]host[:port], one behind the other with commas")
    .option("--identity <file>", "a private key besides those of your SSH configuration and agent")
    .option("--sudo-password-file <file>", "has the password for sudo in its first line (default: asked for where it is needed)");
}

export const add = {
  summary: "make hosts machines of this Drover, over SSH",
  configure: (command) =>
    addSshOptions(
      command
        .argument("[hosts...]", "[name=][user@]host[:port]; the name is what the machine is to be called (default: as the host is)")
        .option("--file <file>", "more of them, one a line, with labels behind each")
        .option("--retry", "those of the last time that failed, as it was said then")
        .option("--label <key=value>", "what they are, such as zone=a; may be repeated", gathered)
        .option("--parallel <n>", "how many at once", usualParallel)
        .option("--http <host:port>", `${upOptions["--http"].help}, on each of them`)
        .option("--https <host:port>", `${upOptions["--https"].help}, on each of them`)
        .option("--ignore <check>", "go on though this is not as it should be, such as clock; may be repeated", gathered),
    ).addHelpText(
      "after",
      `
Looks at each host first and says what is in the way; then copies Drover to /opt/drover, joins it, and starts it, by systemd where there is one.
Your own SSH configuration, agent and keys are used. Keys of hosts are pinned when they are first seen. Run again, it goes on where it was.`,
    ),
  async run(session, { args, options }) {
    const { addCommand } = await import("../ssh/add-command.ts");
    return addCommand(session, args, options as unknown as AddOptions);
  },
} satisfies Verb & { summary: string };
