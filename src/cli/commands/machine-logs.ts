import { apiPath } from "../api/client.ts";
import { wholeNumber } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { logLine, type ShownLine } from "../logs/log-line.ts";

const defaultLines = 100;
/** The server's own bound. */
const mostLines = 10_000;

export const logs = {
  summary: "show or follow what Drover's own programs say on a machine",
  configure: (command) =>
    command
      .argument("<name>", "the machine")
      .option("-f, --follow", "go on as lines come")
      .option("-n, --lines <number>", `the latest this many (default ${defaultLines})`),
  async run({ api, out, signal }, { args: [name = ""], options }) {
    const { follow, lines } = options as { readonly follow?: boolean; readonly lines?: string };
    const query = {
      follow: follow === true ? true : undefined,
      tail: lines === undefined ? defaultLines : wholeNumber(lines, "--lines", 0, mostLines),
    };
    for await (const line of api.stream<ShownLine>("GET", apiPath(["machines", name, "logs"], query), signal)) {
      if (out.json) out.streamed(line);
      else out.line(logLine(line));
    }
    return undefined;
  },
} satisfies Verb & { summary: string };
