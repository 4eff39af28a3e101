import type { LadderView, Simulation } from "#model/api-escalations.ts";
import { DroverError } from "#model/errors.ts";
import { massFailureNotice } from "#model/ladder.ts";
import { apiPath } from "../api/client.ts";
import { defaultSpace, durationMs } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";
import explain from "./explain.ts";

function pathOf(session: Session, ...rest: string[]): string {
  return apiPath(["spaces", session.common.space ?? defaultSpace, ...rest]);
}

async function ladderOf(session: Session): Promise<LadderView | null> {
  return (await session.api.call<{ ladder: LadderView | null }>("GET", pathOf(session, "ladder"), session.signal)).ladder;
}

const ls = {
  summary: "list the ladders of all spaces",
  async run(session) {
    const { api, out, signal } = session;
    const { spaces } = await api.call<{ spaces: { name: string }[] }>("GET", apiPath(["spaces"]), signal);
    const ladders = await Promise.all(
      spaces.map(async ({ name }) => ({
        space: name,
        ladder: (await api.call<{ ladder: LadderView | null }>("GET", apiPath(["spaces", name, "ladder"]), signal)).ladder,
      })),
    );
    if (out.json) {
      out.value({ ladders });
      return 0;
    }
    const rows = ladders.map(({ space, ladder }) => [
      space,
      ladder?.name ?? "-",
      ladder?.levels.map(({ name }) => name).join(" · ") ?? "nothing is checked",
      ladder === null ? "" : [...(ladder.isDryRun ? ["dry run"] : []), ...ladder.pauses.map(({ target }) => `${target} paused`)].join(", "),
    ]);
    for (const line of table(["SPACE", "LADDER", "LEVELS", ""], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const show = {
  summary: "show levels, what asks for them, and what is paused or waits",
  async run(session) {
    const { out } = session;
    const ladder = await ladderOf(session);
    if (out.json) {
      out.value({ ladder });
      return 0;
    }
    if (ladder === null) {
      out.note(`nothing of space "${session.common.space ?? defaultSpace}" is checked`);
      return 0;
    }
    out.line(
      `${styled("bold", ladder.isDeclared ? escapeText(ladder.name) : "the default ladder")}, settles ${ladder.settleMs / 1_000} s${ladder.isDryRun ? ", dry run" : ""}`,
    );
    const rows = ladder.levels.map((level, i) => [
      String(i + 1),
      level.name,
      level.scope,
      level.action.kind === "built-in" ? level.action.name : level.action.run,
      `${level.attempts}×, then ${level.then.join(", ")}`,
      level.approve ? "yes" : "-",
      level.askedBy.join(", ") || "-",
    ]);
    for (const line of table(["", "LEVEL", "SCOPE", "DOES", "TRIED", "APPROVAL", "ASKED BY"], rows, out.columns)) out.line(line);
    for (const { target, by, untilMs } of ladder.pauses)
      out.line(`${styled("yellow", "paused")} ${escapeText(target)} by ${escapeText(by)} until ${dateTime(untilMs)}`);
    for (const { key, text } of ladder.notices) {
      out.line(`${styled("yellow", "told")} people: ${escapeText(text)}`);
      if (key === massFailureNotice) out.line(`  next: look at it, then drover escalation acknowledge ${massFailureNotice}`);
    }
    for (const { target, reason } of ladder.waiting) out.line(`${escapeText(target)} waits: ${escapeText(reason)}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const simulate = {
  summary: "play the ladder with some checks failing, on a virtual clock",
  configure: (command) =>
    command
      .requiredOption("--fail <checks>", "checks that fail, such as node-ping@m1,smoke")
      .option("--for <duration>", "how long to play (default 1h)")
      .option("--from <moment>", 'only "now" is understood')
      .option("--stay-broken", "nothing that is done helps"),
  async run(session, { options }) {
    const { api, out, signal } = session;
    const body = {
      fail: options.fail.split(","),
      forMs: options.for === undefined ? undefined : durationMs(options.for, "--for"),
      isMending: options.stayBroken !== true,
    };
    const played = await api.call<Simulation>("POST", pathOf(session, "simulate"), signal, { body });
    if (out.json) {
      out.value(played);
      return 0;
    }
    for (const { atMs, kind, target, text } of played.lines)
      out.line(
        `${styled("dim", `+${((atMs - played.fromMs) / 1_000).toFixed(0).padStart(5)} s`)}  ${styled("bold", kind)} ${escapeText(target)}: ${escapeText(text)}`,
      );
    for (const { target, outcome } of played.outcomes) out.note(`${target}: ${outcome}`);
    return 0;
  },
} satisfies Verb<{ fail: string; for?: string; from?: string; stayBroken?: boolean }> & { summary: string };

/** @throws {DroverError} USAGE */
function targetOf(text: string | undefined): string | undefined {
  if (text === undefined || text === "space" || /^(app|machine|pool)\/[^/]+$/.test(text)) return text;
  throw new DroverError("USAGE", `"${text}" is no target`, {
    hint: text.includes("/")
      ? "Write space, app/NAME, machine/NAME or pool/NAME."
      : `Write app/${text} for the app, or machine/${text}, or pool/${text}.`,
  });
}

const pause = {
  summary: "let nothing act for a while",
  configure: (command) =>
    command
      .argument("[target]", "space (default), app/NAME, machine/NAME or pool/NAME")
      .option("--for <duration>", "when it ends by itself (default 1h)")
      .option("--by <name>", "who, as the record shows it"),
  async run(session, { args, options }) {
    const { api, out, signal } = session;
    const forMs = options.for === undefined ? undefined : durationMs(options.for, "--for");
    const body = { target: targetOf(args[0]), forMs, by: options.by };
    const done = await api.call<{ target: string; untilMs: number }>("POST", pathOf(session, "pause"), signal, { body });
    if (out.json) out.value(done);
    else out.line(`${done.target} is paused until ${dateTime(done.untilMs)}`);
    return 0;
  },
} satisfies Verb<{ for?: string; by?: string }> & { summary: string };

const resume = {
  summary: "end a pause before its time",
  configure: (command) =>
    command.argument("[target]", "what is paused; the space if left out").option("--by <name>", "who, as the record shows it"),
  async run(session, { args, options }) {
    const body = { target: targetOf(args[0]), by: options.by };
    const done = await session.api.call<{ target: string }>("POST", pathOf(session, "resume"), session.signal, { body });
    if (session.out.json) session.out.value(done);
    else session.out.line(`${done.target} is resumed`);
    return 0;
  },
} satisfies Verb<{ by?: string }> & { summary: string };

const dryRun = {
  summary: "decide and record the same, and do nothing: on or off",
  configure: (command) => command.argument("<on|off>", "on or off"),
  async run(session, { args }) {
    // A slip of the finger must not make escalations act.
    if (args[0] !== "on" && args[0] !== "off")
      throw new DroverError("USAGE", `"${args[0]}" is neither on nor off`, { hint: "Write `drover ladder dry-run on`, or `off`." });
    const body = { isDryRun: args[0] === "on" };
    const done = await session.api.call<{ isDryRun: boolean }>("POST", pathOf(session, "dry-run"), session.signal, { body });
    if (session.out.json) session.out.value(done);
    else session.out.line(done.isDryRun ? "escalations only write down what they would do" : "escalations act");
    return 0;
  },
} satisfies Verb & { summary: string };

export default {
  verbs: {
    ls,
    show,
    explain: { ...explain, summary: "say what would happen if a check failed now" },
    simulate,
    pause,
    resume,
    "dry-run": dryRun,
  },
} satisfies Noun;
