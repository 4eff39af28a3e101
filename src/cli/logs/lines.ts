import { apiPath } from "../api/client.ts";
import { appReference, wholeNumber } from "../arguments.ts";
import type { Call, Session } from "../command.ts";
import { logLine } from "./log-line.ts";
import { moment } from "./moment.ts";

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

/** Lines of one app as they were printed, with the places where some are missing. */
export async function printLines({ api, out, clock, signal, common }: Session, { args, options }: Call<Options>): Promise<number> {
  const { space, app } = appReference(args[0], common.space);
  const query = {
    follow: options.follow === true ? true : undefined,
    tail: options.lines === undefined ? defaultLines : wholeNumber(options.lines, "--lines", 0, mostLines),
    sinceMs: options.since === undefined ? undefined : moment(options.since, "--since", clock.nowMs()),
    contains: options.grep,
    process: options.process,
    instance: options.instance?.slice(options.instance.lastIndexOf("/") + 1),
  };
  for await (const line of api.stream<Line>("GET", apiPath(["spaces", space, "apps", app, "logs"], query), signal)) {
    if (out.json) out.streamed(line);
    else out.line(logLine(line));
  }
  return 0;
}
