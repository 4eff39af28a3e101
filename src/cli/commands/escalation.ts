import type { EscalationView } from "#model/api-escalations.ts";
import { massFailureNotice } from "#model/ladder.ts";
import { took } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { defaultSpace, wholeNumber } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { escapeText, type Style, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { age, dateTime } from "../output/time.ts";
import { newsOf } from "./escalation-news.ts";

const stateStyles: Readonly<Record<EscalationView["state"], Style>> = {
  settling: "yellow",
  running: "cyan",
  waiting: "yellow",
  "needs-human": "red",
  ended: "dim",
};

/** Escalations whose last state is kept to tell what is new; the one that was quiet for longest goes first. */
const mostKnown = 1_000;

function pathOf(session: Session, ...rest: string[]): string {
  return apiPath(["spaces", session.common.space ?? defaultSpace, "escalations", ...rest]);
}

const ls = {
  summary: "list escalations, the newest first",
  configure: (command) => command.option("-n, --lines <number>", "the latest this many (default 20)"),
  async run(session, { options }) {
    const { api, out, clock, signal, common } = session;
    const limit = options.lines === undefined ? 20 : wholeNumber(options.lines, "--lines", 1, 500);
    const path = apiPath(["spaces", common.space ?? defaultSpace, "escalations"], { limit });
    const { escalations } = await api.call<{ escalations: EscalationView[] }>("GET", path, signal);
    if (out.json) {
      out.value({ escalations });
      return 0;
    }
    if (escalations.length === 0) {
      out.note("nothing escalated yet");
      return 0;
    }
    const rows = escalations.map((run) => [
      run.id,
      age(run.openedAtMs, clock.nowMs()),
      run.level ?? "-",
      styled(
        stateStyles[run.state],
        run.outcome === null ? run.state : `${run.outcome.kind}${run.state === "needs-human" ? ", needs a person" : ""}`,
      ),
      run.outcome?.reason ?? run.waitingFor ?? "",
    ]);
    for (const line of table(["ESCALATION", "AGE", "LEVEL", "STATE", ""], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb<{ lines?: string }> & { summary: string };

const show = {
  summary: "show what failed, every step with its output, and how it ended",
  configure: (command) => command.argument("<escalation>", "its id, or the beginning of it").option("--report", "as a report in Markdown"),
  async run(session, { args, options }) {
    const { api, out, signal } = session;
    if (options.report === true) {
      const { markdown } = await api.call<{ markdown: string }>("GET", pathOf(session, args[0] ?? "", "report"), signal);
      if (out.json) out.value({ markdown });
      else for (const line of markdown.split("\n")) out.line(escapeText(line));
      return 0;
    }
    const run = await api.call<EscalationView>("GET", pathOf(session, args[0] ?? ""), signal);
    if (out.json) out.value(run);
    else for (const line of describe(run)) out.line(line);
    return 0;
  },
} satisfies Verb<{ report?: boolean }> & { summary: string };

function describe(run: EscalationView): readonly string[] {
  const end = run.outcome;
  return [
    `${styled("bold", escapeText(run.id))} is ${styled(stateStyles[run.state], run.state)}${run.isDryRun ? " (dry run)" : ""}`,
    `  opened ${dateTime(run.openedAtMs)}${run.begunAtMs === null ? "" : `, decided on level ${escapeText(run.level ?? "")} at ${dateTime(run.begunAtMs)}`}`,
    ...run.failed.map(({ check, message }) => `  failed: ${escapeText(check)}: ${escapeText(message)}`),
    ...run.approvals.map(
      ({ level, expiresAtMs, decision }) =>
        `  approval of ${escapeText(level)}: ${decision === null ? `asked, until ${dateTime(expiresAtMs)}` : `${decision.isApproved ? "given" : "refused"} by ${escapeText(decision.by)}`}`,
    ),
    ...run.steps.flatMap((step) => {
      const word = step.action === null ? "left alone" : step.action.kind === "built-in" ? step.action.name : step.action.run;
      const ended = step.ended === null ? "under way" : `${step.ended.result} after ${took(step.ended.atMs - step.startedAtMs)}`;
      return [
        `  ${escapeText(step.level)} on ${escapeText(step.target)}, attempt ${step.attempt}: ${escapeText(word)}, ${step.action === null ? "" : `${ended}, `}${escapeText(step.verdict === null ? "not judged yet" : `${step.verdict.kind}: ${step.verdict.reason}`)}`,
        ...(step.ended === null || step.ended.output === ""
          ? []
          : step.ended.output.split("\n").map((line) => `    | ${escapeText(line)}`)),
      ];
    }),
    ...(run.waitingFor === null ? [] : [`  waits: ${escapeText(run.waitingFor)}`]),
    ...(run.outcome === null && run.approvals.some(({ level, decision }) => level === run.at && decision === null)
      ? [`  next: drover escalation approve ${escapeText(run.id)}, or refuse`]
      : []),
    ...(end === null ? [] : [`  ended ${dateTime(end.atMs)}: ${end.kind}: ${escapeText(end.reason)}`]),
    ...(run.state === "needs-human" ? [`  next: look at it, then drover escalation acknowledge ${escapeText(run.id)}`] : []),
    ...(end?.acknowledged == null ? [] : [`  acknowledged by ${escapeText(end.acknowledged.by)} at ${dateTime(end.acknowledged.atMs)}`]),
  ];
}

const watch = {
  summary: "follow escalations as they change",
  async run(session) {
    const { api, out, signal, common, clock } = session;
    const path = apiPath(["spaces", common.space ?? defaultSpace, "escalations-watch"]);
    const known = new Map<string, EscalationView>();
    for await (const run of api.stream<EscalationView>("GET", path, signal)) {
      if (out.json) {
        out.streamed(run);
        continue;
      }
      const news = newsOf(known.get(run.id) ?? null, run);
      known.delete(run.id);
      known.set(run.id, run);
      for (const id of known.keys()) if (known.size > mostKnown) known.delete(id);
      for (const line of news)
        out.line(`${styled("dim", dateTime(clock.nowMs()))} ${styled("bold", escapeText(run.target))} ${escapeText(line)}`);
    }
    return 0;
  },
} satisfies Verb & { summary: string };

function changing(verb: string, summary: string, done: string, more: object = {}) {
  return {
    summary,
    configure: (command) =>
      command.argument("<escalation>", "its id, or the beginning of it").option("--by <name>", "who, as the record shows it"),
    async run(session, { args, options }) {
      const body = { by: options.by, ...more };
      const answer = await session.api.call<{ id: string }>("POST", pathOf(session, args[0] ?? "", verb), session.signal, { body });
      if (session.out.json) session.out.value(answer);
      else session.out.line(`${answer.id} is ${done}`);
      return 0;
    },
  } satisfies Verb<{ by?: string }> & { summary: string };
}

const acknowledgeRun = changing("acknowledge", "take note, so that its target may be acted on again", "acknowledged");

const acknowledge = {
  ...acknowledgeRun,
  configure: (command) =>
    command
      .argument("<escalation>", `its id, the beginning of it, or ${massFailureNotice}`)
      .option("--by <name>", "who, as the record shows it")
      .addHelpText(
        "after",
        `
While so many machines fail at once that rebuilding them could make it worse, no machine is acted on. "${massFailureNotice}" says that somebody has seen it:
what failed until now holds nothing back any more.`,
      ),
  async run(session, call) {
    if (call.args[0] !== massFailureNotice) return acknowledgeRun.run(session, call);
    const { api, out, signal, common } = session;
    const path = apiPath(["spaces", common.space ?? defaultSpace, massFailureNotice, "acknowledge"]);
    const answer = await api.call<{ acknowledgedAtMs: number }>("POST", path, signal, { body: { by: call.options.by } });
    if (out.json) out.value(answer);
    else out.line("the mass failure is acknowledged: machines that failed until now may be acted on");
    return 0;
  },
} satisfies Verb<{ by?: string }> & { summary: string };

export default {
  verbs: {
    ls,
    show,
    watch,
    approve: changing("approve", "approve the level that an escalation waits at", "approved", { isApproved: true }),
    refuse: changing("approve", "refuse it", "refused", { isApproved: false }),
    acknowledge,
    stop: changing("stop", "end what an escalation does now; nothing follows", "being stopped"),
  },
} satisfies Noun;
