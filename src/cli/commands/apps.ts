import type { AppSummary } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { Verb } from "../command.ts";
import { healthWord } from "../output/app-line.ts";
import { table } from "../output/table.ts";

export default {
  async run(session) {
    const { api, common, out, signal } = session;
    const { apps } = await api.call<{ apps: AppSummary[] }>("GET", apiPath(["apps"], { space: common.space ?? undefined }), signal);
    if (out.json) {
      out.value({ apps });
      return 0;
    }
    if (apps.length === 0) {
      out.note('there are no apps yet; "drover push" runs the folder you are in');
      return 0;
    }
    const rows = apps.map((app) => [
      `${app.space}/${app.name}`,
      healthWord(app.health),
      `${app.ready}/${app.wanted}`,
      app.rollout === null ? String(app.active ?? "-") : `${app.active ?? "-"} → ${app.rollout.release}`,
      app.urls[0] ?? "-",
      app.reasons[0]?.message ?? "",
    ]);
    for (const line of table(["APP", "HEALTH", "READY", "RELEASE", "URL", ""], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb;
