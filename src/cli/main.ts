import { systemClock } from "#host/clock.ts";
import { defaultHome, homeAt } from "#host/home.ts";
import { createApi } from "./api/client.ts";
import type { Session } from "./command.ts";
import { createInterrupts, interruptedExit } from "./interrupts.ts";
import { reportError } from "./output/error-report.ts";
import { createOutput, hasColour, printable, toJson } from "./output/output.ts";
import { createProgress } from "./output/progress.ts";
import { commandNames, describeCommand, parseCommandLine, wantsJson } from "./program.ts";

async function main(argv: readonly string[]): Promise<number> {
  const { env: environment, stdout, stderr } = process;
  quitWhenNobodyReads(stdout);
  quitWhenNobodyReads(stderr);
  const interrupts = createInterrupts();
  const sources = new Map<string, string>();
  let json = wantsJson(argv);
  using ended = new DisposableStack();
  try {
    const invocation = await parseCommandLine(argv, environment);
    if (invocation.kind === "text") {
      (invocation.exit === 0 ? stdout : stderr).write(invocation.text);
      return invocation.exit;
    }
    const { verb, call, common } = invocation;
    json = common.json;
    const home = homeAt(common.home ?? defaultHome(environment, process.getuid?.() === 0));
    const api = createApi({ home, environment, clock: systemClock });
    const progress = createProgress({ stream: stderr, environment, isQuiet: json, monotonicMs: systemClock.monotonicMs });
    ended.defer(() => {
      progress.clear();
      api.close();
    });
    const session: Session = {
      api,
      out: createOutput({ stdout, stderr, environment, json }),
      progress,
      common,
      home,
      environment,
      clock: systemClock,
      signal: interrupts.signal,
      interrupts,
      terminal: {
        // Made when it is needed: most commands read nothing.
        get input() {
          return process.stdin;
        },
        output: stdout,
        error: stderr,
      },
      sources,
      catalogue: { names: commandNames, describe: describeCommand },
    };
    return (await verb.run(session, call)) ?? 0;
  } catch (error) {
    ended.dispose();
    if (interrupts.signal.aborted) return interruptedExit;
    const report = reportError(error, sources);
    if (json) stdout.write(`${toJson(report.body, 2)}\n`);
    const isColoured = hasColour(stderr, environment);
    for (const line of report.lines) stderr.write(`${printable(line, isColoured)}\n`);
    if (report.body.code === "INTERNAL" && environment["DROVER_DEBUG"] && error instanceof Error) {
      for (const line of (error.stack ?? "").split("\n")) stderr.write(`${printable(line, false)}\n`);
    }
    return report.exit;
  }
}

/** `drover logs | head` ends quietly, as other commands do. */
function quitWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

process.exitCode = await main(process.argv.slice(2));
