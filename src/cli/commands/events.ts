import type { EventView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import { appReference, durationMs, wholeNumber } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { styled } from "../output/style.ts";
import { dateTime } from "../output/time.ts";

interface Options {
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
}

const defaultEvents = 50;
/** The server's own bound. */
const mostEvents = 1_000;

export default {
  configure: (command) =>
    command
      .argument("[app]", "only this app's")
      .option("-f, --follow", "go on as events come")
      .option("-n, --lines <number>", `the latest this many (default ${defaultEvents})`)
      .option("--since <duration>", "only events of the last 10m, say"),
  async run(session, { args, options }) {
    const { api, out, clock, signal, common } = session;
    const about = args[0] === undefined ? { space: common.space ?? undefined, app: undefined } : appReference(args[0], common.space);
    const limit = options.lines === undefined ? defaultEvents : wholeNumber(options.lines, "--lines", 1, mostEvents);
    const sinceMs = options.since === undefined ? undefined : clock.nowMs() - durationMs(options.since, "--since");
    const { events } = await api.call<{ events: EventView[] }>("GET", apiPath(["events"], { ...about, limit, sinceMs }), signal);
    const isFollowing = options.follow === true;
    if (out.json && !isFollowing) {
      out.value({ events });
      return 0;
    }
    const print = (event: EventView) => (out.json ? out.streamed(event) : out.line(format(event)));
    for (const event of events) print(event);
    if (!isFollowing) return 0;
    const after = events.at(-1)?.sequence;
    for await (const event of api.stream<EventView>("GET", apiPath(["events", "watch"], { ...about, after }), signal)) print(event);
    return 0;
  },
} satisfies Verb<Options>;

function format(event: EventView): string {
  const about = event.app === null ? (event.space ?? "") : `${event.space}/${event.app}`;
  return `${styled("dim", dateTime(event.atMs))} ${styled("bold", event.kind)}${about === "" ? "" : ` ${about}`}: ${event.message}`;
}
