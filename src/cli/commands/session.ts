import type { SessionView } from "#model/api-access.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { age } from "../output/time.ts";

const list = {
  summary: "list sessions of the web UI that have not ended",
  async run({ api, out, clock, signal }) {
    const { sessions } = await api.call<{ sessions: SessionView[] }>("GET", apiPath(["sessions"]), signal);
    if (out.json) {
      out.value({ sessions });
      return 0;
    }
    if (sessions.length === 0) out.note('nobody is logged in; "drover ui" opens a session');
    const nowMs = clock.nowMs();
    const rows = sessions.map(({ id, token, role, openedAtMs, usedAtMs, agent }) => [
      id,
      token === role ? token : `${token} (${role})`,
      age(openedAtMs, nowMs),
      age(usedAtMs, nowMs),
      agent,
    ]);
    if (rows.length > 0) for (const line of table(["SESSION", "OF", "OPENED", "USED", "BROWSER"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const end = {
  summary: "end a session: its next request is refused",
  configure: (command) => command.argument("<id>", "the session"),
  async run({ api, out, signal }, { args: [id = ""] }) {
    await api.call("DELETE", apiPath(["sessions", id]), signal);
    if (out.json) out.value({ id });
    else out.line(`ended ${id}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, end } } satisfies Noun;
