import { readFile } from "node:fs/promises";
import type { ScaleTimelineView, ScaleTrace, ScalingView } from "#model/api-scaling.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { formatDuration } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { appReference, assignments, wholeNumber } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Session, Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";
import { readScaleTrace } from "../scale-trace.ts";

/** The most that the API takes for one process. */
const mostInstances = 10_000;

interface Options {
  readonly simulate?: boolean;
  readonly trace?: string;
  readonly process?: string;
  readonly start?: string;
}

export default {
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .argument("[counts...]", "a number for web, or process=number; left out: shows what follows its load, and why")
      .option("--simulate", "show what the rules would do under a load that is given; changes nothing")
      .option(
        "--trace <file>",
        "the load: comma-separated values, with a head of time and some of cpu, memory, rps, latency, metric and command",
      )
      .option("--process <name>", "of which process the load is (default: web)")
      .option("--start <n>", "instances at the beginning (default: as many as there are to be now)")
      .addHelpText(
        "after",
        "\nExamples:\n  drover scale shop 3\n  drover scale shop web=3 worker=1\n  drover scale shop\n  drover scale shop --simulate --trace monday.csv",
      ),
  async run(session, { args: [app, ...counts], options }) {
    const { simulate = false, trace, process, start } = options;
    if (simulate) return simulateScaling(session, app, options);
    if (trace !== undefined || process !== undefined || start !== undefined)
      throw new DroverError("USAGE", "--trace, --process and --start say what is simulated", { hint: "Give --simulate with them." });
    return counts.length === 0 ? showScaling(session, app) : setCounts(session, app, counts);
  },
} satisfies Verb<Options>;

function setCounts(session: Session, app: string | undefined, counts: readonly string[]): Promise<number> {
  const [only] = counts;
  const isShort = counts.length === 1 && only !== undefined && /^\d+$/.test(only);
  const pairs = isShort ? { web: only } : assignments(counts, "count");
  const instances = Object.fromEntries(
    Object.entries(pairs).map(([process, text]) => [process, wholeNumber(text, `the number of ${process} instances`, 0, mostInstances)]),
  );
  return changeApp(session, appReference(app, session.common.space), {
    method: "POST",
    action: "scale",
    body: { instances },
    done: "scaled",
    already: "is scaled so already",
    isDone: (status) => status.stopped || status.processes.every((process) => process.ready === process.wanted),
  });
}

async function showScaling({ api, out, common, signal }: Session, text: string | undefined): Promise<number> {
  const { space, app } = appReference(text, common.space);
  const { processes } = await api.call<{ processes: ScalingView[] }>("GET", apiPath(["spaces", space, "apps", app, "scale"]), signal);
  if (out.json) {
    out.value({ processes });
    return 0;
  }
  if (processes.length === 0) out.note(`no process of ${space}/${app} follows its load; give it a \`scale\` in its manifest`);
  const rows = processes.map(({ process, wanted, min, max, needed, because, held }) => [
    process,
    String(wanted),
    `${min} to ${max}`,
    needed === null ? "-" : String(needed),
    [because ?? "not looked at yet", ...(held === null ? [] : [held])].join("; "),
  ]);
  if (rows.length > 0) for (const line of table(["PROCESS", "WANTED", "BOUNDS", "NEEDED", "BECAUSE"], rows, out.columns)) out.line(line);
  return 0;
}

async function simulateScaling(session: Session, text: string | undefined, { trace, process, start }: Options): Promise<number> {
  const { api, out, common, clock, signal } = session;
  const { space, app } = appReference(text, common.space);
  if (trace === undefined)
    throw new DroverError("USAGE", "--simulate needs a load", {
      hint: "Give a file with --trace; `drover scale --help` says how it looks.",
    });
  const body: ScaleTrace = {
    points: [...readScaleTrace(await readTrace(trace), clock.nowMs())],
    ...(process === undefined ? {} : { process }),
    ...(start === undefined ? {} : { start: wholeNumber(start, "--start", 0, mostInstances) }),
  };
  const path = apiPath(["spaces", space, "apps", app, "scale", "simulate"]);
  const played = await api.call<ScaleTimelineView>("POST", path, signal, { body });
  if (out.json) {
    out.value(played);
    return 0;
  }
  for (const { atMs, from, to, because } of played.changes)
    out.line(`${styled("dim", dateTime(atMs))}  ${styled("bold", `${from} → ${to}`)}  ${escapeText(because)}`);
  const hours = (played.instanceMs / 3_600_000).toFixed(1);
  const short = played.shortMs === 0 ? "never fewer than needed" : `fewer than needed for ${formatDuration(played.shortMs)}`;
  out.note(`at most ${played.most} instances, ${hours} instance hours, ${short}`);
  return 0;
}

async function readTrace(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("USAGE", `there is no trace "${file}"`, { cause: error, hint: "Give a file of comma-separated values." });
  }
}
