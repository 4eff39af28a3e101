import { apiPath } from "../api/client.ts";
import type { Verb } from "../command.ts";
import { confirm } from "../prompt.ts";
// Types alone: what goes to hosts is loaded when it does.
import type { RemoveOptions } from "../ssh/remove-command.ts";
import { addSshOptions } from "./machine-add.ts";

export const remove = {
  summary: "forget a machine: its certificate is worth nothing from then on",
  configure: (command) =>
    addSshOptions(
      command
        .argument("<name>", "the machine")
        .option("--force", "also while it runs something")
        .option("--uninstall", "take Drover away there too, over SSH, but for volumes of apps")
        .option("--at <host>", "with --uninstall, where that is, as [user@]host[:port] (default: as it was added from here)"),
    ).addHelpText(
      "after",
      '\nWithout --uninstall, what runs there goes on until "drover down" there. Its instances are started on other machines.',
    ),
  async run(session, { args: [name = ""], options }) {
    const { api, out } = session;
    const given = options as RemoveOptions & { readonly force?: boolean; readonly uninstall?: boolean };
    const force = given.force === true ? "true" : "false";
    const forget = (signal: AbortSignal) => api.call<{ machine: string }>("DELETE", apiPath(["machines", name], { force }), signal);
    if (given.uninstall === true) {
      const { removeCommand } = await import("../ssh/remove-command.ts");
      return removeCommand(session, name, given, forget);
    }
    await confirm(session, `this removes the machine "${name}" from this Drover`, name);
    const removed = await forget(session.signal);
    if (out.json) out.value(removed);
    else out.line(`removed ${removed.machine}`);
    return 0;
  },
} satisfies Verb & { summary: string };
