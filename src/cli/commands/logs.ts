import { shortInstanceId } from "#model/names.ts";
import { apiPath } from "../api/client.ts";
import { appReference, durationMs, wholeNumber } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { styled, styleOf } from "../output/style.ts";
import { clockTime } from "../output/time.ts";

interface Options {
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
  readonly grep?: string;
  readonly process?: string;
  readonly instance?: string;
}

interface Line {
  readonly instance: string;
  readonly atMs: number;
  readonly text: string;
  readonly source: "app" | "drover";
}

const defaultLines = 100;
/** The server's own bound. */
const mostLines = 10_000;

export default {
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .option("-f, --follow", "go on as lines come")
      .option("-n, --lines <number>", `the latest this many (default ${defaultLines})`)
      .option("--since <duration>", "only lines of the last 10m, say")
      .option("--grep <text>", "only lines that contain this text")
      .option("--process <name>", "only this process")
      .option("--instance <name>", "only this instance, such as web.3.k3f9b"),
  async run(session, { args, options }) {
    const { api, out, clock, signal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const sinceMs = options.since === undefined ? undefined : clock.nowMs() - durationMs(options.since, "--since");
    const query = {
      follow: options.follow === true ? true : undefined,
      tail: options.lines === undefined ? defaultLines : wholeNumber(options.lines, "--lines", 0, mostLines),
      sinceMs,
      contains: options.grep,
      process: options.process,
      instance: options.instance?.slice(options.instance.lastIndexOf("/") + 1),
    };
    for await (const line of api.stream<Line>("GET", apiPath(["spaces", space, "apps", app, "logs"], query), signal)) {
      if (out.json) out.streamed(line);
      else out.line(format(line));
    }
    return 0;
  },
} satisfies Verb<Options>;

function format({ instance, atMs, text, source }: Line): string {
  const name = shortInstanceId(instance);
  const said = source === "drover" ? styled("yellow", `[drover] ${text}`) : text;
  return `${styled("dim", clockTime(atMs))} ${styled(styleOf(name), name)} ${said}`;
}
