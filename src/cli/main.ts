import { systemClock } from "#host/clock.ts";
import { defaultHome, homeAt } from "#host/home.ts";
import { createApi } from "./api/client.ts";
import type { Session } from "./command.ts";
import { reportError } from "./output/error-report.ts";
import { createOutput, hasColour, printable, toJson } from "./output/output.ts";
import { createProgress } from "./output/progress.ts";
import { homeOption, parseCommandLine, wantsJson } from "./program.ts";

/** What a shell reports of a command that Ctrl-C ended. */
const interruptedExit = 130;

async function main(argv: readonly string[]): Promise<number> {
  const { env: environment, stdout, stderr } = process;
  const json = wantsJson(argv);
  const sources = new Map<string, string>();
  const interrupted = new AbortController();
  const progress = createProgress({ stream: stderr, environment, isQuiet: json, monotonicMs: systemClock.monotonicMs });
  const home = homeAt(homeOption(argv) ?? defaultHome(environment, process.getuid?.() === 0));
  const api = createApi(home, environment);
  quitWhenNobodyReads(stdout);
  quitWhenNobodyReads(stderr);
  onInterrupt(() => interrupted.abort(new Error("interrupted")));
  try {
    const invocation = await parseCommandLine(argv, environment);
    if (invocation.kind === "text") {
      (invocation.exit === 0 ? stdout : stderr).write(invocation.text);
      return invocation.exit;
    }
    const { verb, call, common } = invocation;
    const out = createOutput({ stdout, stderr, environment, json: common.json });
    const terminal = {
      // Made when it is needed: most commands read nothing.
      get input() {
        return process.stdin;
      },
      output: stdout,
      error: stderr,
    };
    const session: Session = {
      api,
      out,
      progress,
      common,
      home,
      environment,
      clock: systemClock,
      signal: interrupted.signal,
      terminal,
      sources,
    };
    return (await verb.run(session, call)) ?? 0;
  } catch (error) {
    progress.clear();
    if (interrupted.signal.aborted) return interruptedExit;
    const report = reportError(error, sources);
    if (json) stdout.write(`${toJson(report.body, 2)}\n`);
    const isColoured = hasColour(stderr, environment);
    for (const line of report.lines) stderr.write(`${printable(line, isColoured)}\n`);
    if (report.body.code === "INTERNAL" && environment["DROVER_DEBUG"] && error instanceof Error) {
      for (const line of (error.stack ?? "").split("\n")) stderr.write(`${printable(line, false)}\n`);
    }
    return report.exit;
  } finally {
    progress.clear();
    api.close();
  }
}

/** `drover logs | head` ends quietly, as other commands do. */
function quitWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

/** The first Ctrl-C ends what is under way in good order; a second one ends at once. */
function onInterrupt(interrupt: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      interrupt();
      process.once(signal, () => process.exit(interruptedExit));
    });
  }
}

process.exitCode = await main(process.argv.slice(2));
