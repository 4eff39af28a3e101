import type { Feedback, FeedbackView } from "#model/api-history.ts";
import { formatDuration } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { appReference, durationMs } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { requireKnownApp } from "../known-app.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";

const dayMs = 86_400_000;

export default {
  configure: (command) => command.argument("[app]", "only this app's").option("--since <duration>", "of the last 7d, say (default 30d)"),
  async run(session, { args, options }) {
    const { api, out, clock, common, signal } = session;
    const about = args[0] === undefined ? { space: common.space ?? undefined, app: undefined } : appReference(args[0], common.space);
    const sinceMs = options.since === undefined ? undefined : clock.nowMs() - durationMs(options.since, "--since");
    const view = await api.call<FeedbackView>("GET", apiPath(["feedback"], { ...about, sinceMs }), signal);
    if (view.apps.length === 0) await requireKnownApp(session, about.space, about.app);
    if (out.json) {
      out.value(view);
      return 0;
    }
    if (view.apps.length === 0) {
      out.note("nothing changed in this time");
      return 0;
    }
    const rows = view.apps.map((one) => row(`${one.space}/${one.app}`, one, one.failingSinceMs));
    const head = ["APP", "CHANGES", "A DAY", "LEAD TIME", "FAILED", "RESTORED", "TIME TO RESTORE"];
    for (const line of table(head, view.apps.length > 1 ? [...rows, row("all", view.all, null)] : rows, out.columns)) out.line(line);
    const days = Math.round((view.untilMs - view.sinceMs) / dayMs);
    const kept =
      view.keptSinceMs !== null && view.keptSinceMs > view.sinceMs ? `; events are kept since ${dateTime(view.keptSinceMs)}` : "";
    out.note(`of ${days <= 1 ? "the last day" : `the last ${days} days`}; times are the median, and what nine of ten keep${kept}`);
    return 0;
  },
} satisfies Verb<{ since?: string }>;

function row(name: string, figures: Omit<Feedback, "failingSinceMs">, failingSinceMs: number | null): string[] {
  const { changes, perDay, leadTimeMs, failed, failureRate, restores, restoreMs } = figures;
  return [
    name,
    String(changes),
    perDay.toFixed(1),
    spread(leadTimeMs),
    failureRate === null ? "-" : `${failed} (${Math.round(failureRate * 100)}%)`,
    String(restores),
    `${spread(restoreMs)}${failingSinceMs === null ? "" : `, failing since ${dateTime(failingSinceMs)}`}`,
  ];
}

function spread(figure: Feedback["leadTimeMs"]): string {
  return figure === null ? "-" : `${rounded(figure.median)}, ${rounded(figure.p90)}`;
}

/** As exact as anybody compares it: three digits at most. */
function rounded(ms: number): string {
  const step = ms < 10_000 ? 100 : ms < 600_000 ? 1_000 : 60_000;
  return formatDuration(Math.round(ms / step) * step);
}
