import { DroverError } from "#model/errors.ts";
import type { Verb } from "../command.ts";
import type { UpgradeOptions } from "../programs/upgrade-command.ts";
import { addUpgradeOptions } from "./upgrade.ts";

export const upgrade = {
  summary: "have machines go over to another version of Drover, one after the other, and back",
  configure: (command) => addUpgradeOptions(command.argument("[names...]", "the machines").option("--all", "all of them")),
  async run(session, { args, options }) {
    const { all, ...rest } = options as unknown as UpgradeOptions & { readonly all?: boolean };
    if ((all === true) === args.length > 0)
      throw new DroverError("USAGE", all === true ? "machines are named together with --all" : "no machine was named", {
        hint: 'Name machines, such as "drover machine upgrade m2 m3", or give --all.',
      });
    const { upgradeCommand } = await import("../programs/upgrade-command.ts");
    return upgradeCommand(session, args, rest);
  },
} satisfies Verb & { summary: string };
