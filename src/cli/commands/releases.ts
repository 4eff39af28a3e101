import type { ReleaseView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { type Style, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";

const stateStyles: Readonly<Record<ReleaseView["state"], Style>> = { pending: "cyan", active: "green", superseded: "dim", failed: "red" };

export default {
  configure: (command) => command.argument("<app>", "the app"),
  async run(session, { args }) {
    const { api, out, signal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const { releases } = await api.call<{ releases: ReleaseView[] }>("GET", apiPath(["spaces", space, "apps", app, "releases"]), signal);
    if (out.json) {
      out.value({ releases });
      return 0;
    }
    const rows = [...releases]
      .sort((a, b) => b.number - a.number)
      .map((release) => [
        String(release.number),
        styled(stateStyles[release.state] ?? "bold", release.state),
        dateTime(release.createdAtMs),
        release.cause,
        release.artifact === null ? "-" : release.artifact.slice(7, 19),
        release.failure?.reason ?? "",
      ]);
    for (const line of table(["RELEASE", "STATE", "MADE", "BY", "ARTIFACT", ""], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb;
