import type { SpaceView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { confirm } from "../prompt.ts";
import { until } from "../wait/until.ts";

/** Every app of it has to drain and stop first. */
const defaultTimeoutMs = 10 * 60_000;

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
    const { api, out, common, progress, signal } = session;
    const path = apiPath(["spaces", name]);
    const space = await api.call<SpaceView>("GET", path, signal);
    await confirm(session, `this destroys the space "${name}" with its ${space.apps} apps, its secrets and its keys`, name);
    await api.call("DELETE", path, signal);
    if (!common.detach) {
      const late = () => ({ message: `the space "${name}" was not gone` });
      await until(session, { timeoutMs: common.timeoutMs ?? defaultTimeoutMs, late }, async () => {
        try {
          const left = await api.call<SpaceView>("GET", path, signal);
          progress.show([`${name}: ${left.apps} apps left`]);
          return null;
        } catch (error) {
          if (error instanceof DroverError && error.code === "SPACE_NOT_FOUND") return true;
          throw error;
        }
      });
      progress.clear();
    }
    if (out.json) out.value({ space: name });
    else out.line(common.detach ? `destroying ${name}; it goes on by itself` : `destroyed ${name}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, destroy } } satisfies Noun;
