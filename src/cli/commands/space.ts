import type { AppSummary, SpaceView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { count } from "../output/time.ts";
import { confirm } from "../prompt.ts";
import { waitUntilGone } from "../wait/gone.ts";

const list = {
  summary: "list spaces",
  async run({ api, out, signal }) {
    const { spaces } = await api.call<{ spaces: SpaceView[] }>("GET", apiPath(["spaces"]), signal);
    if (out.json) {
      out.value({ spaces });
      return 0;
    }
    if (spaces.length === 0) out.note("there are no spaces yet; the first app makes one");
    const rows = spaces.map((space) => [space.name, String(space.apps), space.domain]);
    if (rows.length > 0) for (const line of table(["SPACE", "APPS", "DOMAIN"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const destroy = {
  summary: "remove a space with all its apps, secrets and keys, for good",
  configure: (command) => command.argument("<name>", "the space"),
  async run(session, { args: [name = ""] }) {
    const { api, out, signal } = session;
    await api.call<SpaceView>("GET", apiPath(["spaces", name]), signal);
    const { apps } = await api.call<{ apps: AppSummary[] }>("GET", apiPath(["apps"], { space: name }), signal);
    await confirm(session, `this destroys the space "${name}" with ${count(apps.length, "app")}, its secrets and its keys`, name);
    for (const app of apps) await api.call("DELETE", apiPath(["spaces", name, "apps", app.name]), signal);
    // A space goes last and only when it is empty, so this waits even with --detach.
    await waitUntilGone(
      session,
      apps.map((app) => ({ space: name, app: app.name })),
    );
    const deleted = await api.call<{ space: string; revision: number }>("DELETE", apiPath(["spaces", name]), signal);
    if (out.json) out.value(deleted);
    else out.line(`destroyed ${name} with ${count(apps.length, "app")}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, destroy } } satisfies Noun;
