import { lanes, type TimelineSpan, type TimelineView } from "#model/api-history.ts";
import { DroverError } from "#model/errors.ts";
import { formatDuration } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { appReference, durationMs } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { requireKnownApp } from "../known-app.ts";
import { escapeText, styled } from "../output/style.ts";
import { dateTime } from "../output/time.ts";

const outcomes: Readonly<Record<TimelineSpan["outcome"], string>> = {
  open: "goes on",
  ok: "ok",
  failed: "failed",
  replaced: "replaced",
  stopped: "stopped",
};

export default {
  configure: (command) =>
    command
      .argument("[app]", "only what happened to this app, and to machines and edges")
      .option("--since <duration>", "of the last 2h, say (default 1d)")
      .option("--until <duration>", "only what began so long ago or earlier")
      .option("--lanes <names>", `some of ${lanes.join(", ")}, with commas between`),
  async run(session, { args, options }) {
    const { api, out, clock, common, signal } = session;
    const about = args[0] === undefined ? { space: common.space ?? undefined, app: undefined } : appReference(args[0], common.space);
    const ago = (text: string | undefined, option: string) => (text === undefined ? undefined : clock.nowMs() - durationMs(text, option));
    const unknown = options.lanes?.split(",").find((name) => !lanes.some((lane) => lane === name));
    if (unknown !== undefined) throw new DroverError("USAGE", `there is no lane "${unknown}"`, { hint: `There are ${lanes.join(", ")}.` });
    const query = { ...about, sinceMs: ago(options.since, "--since"), untilMs: ago(options.until, "--until"), lanes: options.lanes };
    const view = await api.call<TimelineView>("GET", apiPath(["timeline"], query), signal);
    // What happened to machines and edges is told beside an app's: it says nothing about whether there is one.
    if (view.lanes.every((lane) => lane.spans.every(({ app }) => app === null || app === undefined)))
      await requireKnownApp(session, about.space, about.app);
    if (out.json) {
      out.value(view);
      return 0;
    }
    const spans = view.lanes
      .flatMap((lane) => lane.spans)
      // Deploys and the like that a person began are in their own lane with the name.
      .filter(
        ({ lane, firstEvent }, _, all) =>
          lane !== "people" || !all.some((other) => other.lane !== "people" && other.firstEvent === firstEvent),
      )
      .sort((a, b) => a.firstEvent - b.firstEvent);
    if (spans.length === 0) out.note("nothing happened in this time");
    for (const span of spans) out.line(line(span));
    if (view.older !== null) out.note("there is more before that: ask for a shorter time, or for one app or lane");
    return 0;
  },
} satisfies Verb<{ since?: string; until?: string; lanes?: string }>;

function line(span: TimelineSpan): string {
  const { lane, space, app, startMs, endMs, outcome, title, message, by } = span;
  const about = app === null ? (space ?? "") : `${space}/${app}`;
  const took =
    startMs === null
      ? "since before"
      : endMs === null
        ? ""
        : endMs === startMs
          ? ""
          : formatDuration(Math.max(1, Math.round((endMs - startMs) / 100) * 100));
  const isMoment = startMs === endMs;
  const end = isMoment && outcome === "ok" ? "" : [outcomes[outcome], took].filter((text) => text !== "").join(", ");
  const what = title === message ? title : `${title} → ${message}`;
  return [
    styled("dim", startMs === null ? " ".repeat(dateTime(0).length) : dateTime(startMs)),
    styled("bold", lane.padEnd("escalations".length)),
    ...(about === "" ? [] : [`${about}:`]),
    escapeText(what),
    ...(end === "" ? [] : [`(${end})`]),
    ...(by === null ? [] : [styled("dim", `by ${escapeText(by)}`)]),
  ].join(" ");
}
