import type { RestoreList } from "#model/api-restore.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Noun, Verb } from "../command.ts";
import { escapeText } from "../output/style.ts";
import { confirm } from "../prompt.ts";

const list = {
  summary: "list apps that run what a restored backup does not know",
  async run({ api, out, signal }) {
    const reviews = await api.call<RestoreList>("GET", apiPath(["restore"]), signal);
    if (out.json) {
      out.value(reviews);
      return 0;
    }
    for (const { message } of reviews.apps) out.line(escapeText(message));
    if (reviews.apps.length === 0) out.line("what runs and the state agree: nothing waits for a decision");
    else out.note('they stay as they are until you deploy them again ("drover push", "drover apply"), or say "drover restore discard APP"');
    return 0;
  },
} satisfies Verb & { summary: string };

interface DiscardOptions {
  readonly all?: true;
}

const discard = {
  summary: "let the restored state hold for an app: what it runs beyond that is stopped or replaced",
  configure: (command) =>
    command.argument("[app...]", "the apps, as APP or SPACE/APP").option("--all", "every one that waits for a decision"),
  async run(session, { args, options }) {
    const { api, out, common, signal } = session;
    const { all = false } = options as DiscardOptions;
    if (all === args.length > 0) throw new DroverError("USAGE", "which apps?", { hint: "Name them, or give --all." });
    const { apps } = await api.call<RestoreList>("GET", apiPath(["restore"]), signal);
    const named = args.map((text) => appReference(text, common.space)).map(({ space, app }) => `${space}/${app}`);
    const wanted = all ? apps.map(({ space, app }) => `${space}/${app}`) : named;
    if (wanted.length > 0) {
      for (const { space, app, message } of apps) if (wanted.includes(`${space}/${app}`)) out.note(escapeText(message));
      await confirm(session, "this stops or replaces what they run beyond the restored state", null);
      await api.call("POST", apiPath(["restore", "discard"]), signal, { body: { apps: wanted } });
    }
    if (out.json) out.value({ discarded: wanted });
    else out.line(wanted.length === 0 ? "nothing waits for a decision" : `the restored state holds for ${wanted.join(", ")}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, discard } } satisfies Noun;
