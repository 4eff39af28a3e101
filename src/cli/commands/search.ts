import type { SavedSearchView } from "#model/api-logs.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference, defaultSpace } from "../arguments.ts";
import type { Noun, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";

const ls = {
  summary: "list a space's saved searches",
  async run({ api, out, signal, common }) {
    const space = common.space ?? defaultSpace;
    const { searches } = await api.call<{ searches: SavedSearchView[] }>("GET", apiPath(["spaces", space, "searches"]), signal);
    if (out.json) out.value({ searches });
    else if (searches.length === 0) out.note(`space "${space}" has no saved searches`);
    else {
      const rows = searches.map(({ name, app, query, savedBy, savedAtMs }) => [name, app ?? "-", query, savedBy, dateTime(savedAtMs)]);
      for (const line of table(["SEARCH", "APP", "QUERY", "BY", "SAVED"], rows, out.columns)) out.line(line);
    }
    return 0;
  },
} satisfies Verb & { summary: string };

const save = {
  summary: "save a search of logs under a name",
  configure: (command) =>
    command
      .argument("<name>", "its name")
      .argument("<query>", "what it looks for, as for drover logs --search")
      .option("--app <app>", "only in this app"),
  async run({ api, out, signal, common }, { args: [name = "", query = ""], options }) {
    const about = options.app === undefined ? { space: common.space ?? defaultSpace, app: null } : appReference(options.app, common.space);
    if (name === "") throw new DroverError("USAGE", "the search has no name", { hint: "Give it one, such as failed-payments." });
    const body = { query, app: about.app };
    const saved = await api.call<SavedSearchView>("PUT", apiPath(["spaces", about.space, "searches", name]), signal, { body });
    if (out.json) out.value(saved);
    else out.line(`saved search ${about.space}/${name}; show what it finds with "drover logs --space ${about.space} --saved ${name}"`);
    return 0;
  },
} satisfies Verb<{ readonly app?: string }> & { summary: string };

const remove = {
  summary: "forget a saved search",
  configure: (command) => command.argument("<name>", "its name"),
  async run({ api, out, signal, common }, { args: [name = ""] }) {
    const space = common.space ?? defaultSpace;
    await api.call("DELETE", apiPath(["spaces", space, "searches", name]), signal);
    if (out.json) out.value({ space, name });
    else out.line(`removed search ${space}/${name}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls, save, rm: remove } } satisfies Noun;
