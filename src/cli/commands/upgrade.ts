import type { Command } from "commander";
import type { Verb } from "../command.ts";
// Types alone: what upgrades is loaded when it does.
import type { UpgradeOptions } from "../programs/upgrade-command.ts";

/** What both commands that upgrade take. */
export function addUpgradeOptions(command: Command): Command {
  return command
    .option("--from <path>", "a folder of Drover with its packages, or a tarball of one (default: the one that this command is of)")
    .option("--at-once <n>", "how many machines at once", "1")
    .option("--back", "to what each machine ran before")
    .addHelpText(
      "after",
      `
One machine after the other goes over, with its agent and its edge; the server's own comes last. Apps run on. A machine on which everything is not
as before within --timeout (default 60s) goes back, and the upgrade ends there. Run again, it goes on where it was.`,
    );
}

export default {
  configure: (command) => addUpgradeOptions(command),
  async run(session, { options }) {
    const { upgradeCommand } = await import("../programs/upgrade-command.ts");
    return upgradeCommand(session, [], options as unknown as UpgradeOptions);
  },
} satisfies Verb;
