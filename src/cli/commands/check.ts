import type { CheckChangeView, CheckView, FindingView } from "#model/api-escalations.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { defaultSpace, wholeNumber } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { escapeText, type Style, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { age, count, dateTime } from "../output/time.ts";

const verdictStyles: Readonly<Record<CheckView["verdict"], Style>> = { ok: "green", failing: "red", unknown: "dim" };

async function checksOf(session: Session): Promise<readonly CheckView[]> {
  const path = apiPath(["spaces", session.common.space ?? defaultSpace, "checks"]);
  return (await session.api.call<{ checks: CheckView[] }>("GET", path, session.signal)).checks;
}

/** The checks that `smoke` (at every target) or `smoke@m1` means. @throws {DroverError} CHECK_NOT_FOUND */
function named(checks: readonly CheckView[], name: string | undefined): readonly CheckView[] {
  const found = checks.filter(({ id, name: own, target }) => id === name || own === name || `${own}@${target.split("/")[1]}` === name);
  if (found.length > 0) return found;
  throw new DroverError("CHECK_NOT_FOUND", `there is no check "${name}"`, { hint: "List them with `drover check ls`." });
}

const ls = {
  summary: "list checks and how they are",
  async run(session) {
    const { out, clock } = session;
    const checks = await checksOf(session);
    if (out.json) {
      out.value({ checks });
      return 0;
    }
    if (checks.length === 0) {
      out.note(`nothing of space "${session.common.space ?? defaultSpace}" is checked`);
      return 0;
    }
    const rows = checks.map((check) => [
      check.id,
      styled(verdictStyles[check.verdict], wordOf(check)),
      age(check.sinceMs, clock.nowMs()),
      check.level ?? "-",
      check.impossible ?? check.message,
    ]);
    for (const line of table(["CHECK", "VERDICT", "FOR", "LEVEL", ""], rows, out.columns)) out.line(line);
    return checks.some(({ verdict, level, isSilent }) => verdict === "failing" && level !== null && !isSilent) ? 4 : 0;
  },
} satisfies Verb & { summary: string };

function wordOf({ verdict, isFlapping, isSilent, impossible }: CheckView): string {
  if (impossible !== null) return "impossible";
  return `${verdict}${isFlapping ? ", flapping" : ""}${isSilent ? ", silent" : ""}`;
}

const show = {
  summary: "show what each probe found last",
  configure: (command) => command.argument("<check>", "its name, or NAME@TARGET"),
  async run(session, { args }) {
    const { out } = session;
    const checks = named(await checksOf(session), args[0]);
    if (out.json) {
      out.value({ checks });
      return 0;
    }
    for (const check of checks) {
      out.line(
        `${styled("bold", escapeText(check.id))} is ${styled(verdictStyles[check.verdict], wordOf(check))} since ${dateTime(check.sinceMs)}`,
      );
      out.line(
        `  ${check.kind}, every ${check.everyMs / 1_000} s, failing after ${check.failures} in a row, asks for ${check.level ?? "nothing"}`,
      );
      if (check.impossible !== null) out.line(`  cannot be made: ${escapeText(check.impossible)}`);
      for (const [probe, found] of Object.entries(check.probes)) {
        out.line(`  ${escapeText(probe)} at ${dateTime(found.atMs)}: ${found.isOk ? "ok" : "failed"}: ${escapeText(found.message)}`);
        for (const line of measured(found)) out.line(line);
      }
    }
    return 0;
  },
} satisfies Verb & { summary: string };

const history = {
  summary: "show since when and how often checks failed",
  configure: (command) =>
    command
      .argument("[check]", "only this one, as NAME@TARGET")
      .option("-n, --lines <number>", "the latest this many changes (default 100)"),
  async run(session, { args, options }) {
    const { api, out, signal, common } = session;
    const limit = options.lines === undefined ? 100 : wholeNumber(options.lines, "--lines", 1, 1_000);
    const ids = args[0] === undefined ? [undefined] : named(await checksOf(session), args[0]).map(({ id }) => id);
    const answers = await Promise.all(
      ids.map((check) =>
        api.call<{ changes: CheckChangeView[] }>(
          "GET",
          apiPath(["spaces", common.space ?? defaultSpace, "check-history"], { check, limit }),
          signal,
        ),
      ),
    );
    const changes = answers.flatMap((answer) => answer.changes).sort((a, b) => a.atMs - b.atMs);
    if (out.json) {
      out.value({ changes });
      return 0;
    }
    for (const { atMs, check, from, to, message } of changes)
      out.line(`${styled("dim", dateTime(atMs))} ${escapeText(check)}: ${from} → ${styled(verdictStyles[to], to)}: ${escapeText(message)}`);
    out.note(count(changes.filter(({ to }) => to === "failing").length, "time failing", "times failing"));
    return 0;
  },
} satisfies Verb<{ lines?: string }> & { summary: string };

const run = {
  summary: "make a check once now; what it finds changes nothing",
  configure: (command) => command.argument("<check>", "its name, or NAME@TARGET"),
  async run(session, { args }) {
    const { api, out, signal, common } = session;
    const path = apiPath(["spaces", common.space ?? defaultSpace, "checks", args[0] ?? "", "run"]);
    const { findings } = await api.call<{ findings: Record<string, FindingView> }>("POST", path, signal);
    if (out.json) out.value({ findings });
    else for (const [id, finding] of Object.entries(findings)) for (const line of foundLines(id, finding)) out.line(line);
    return Object.values(findings).every(({ isOk }) => isOk) ? 0 : 4;
  },
} satisfies Verb & { summary: string };

function foundLines(id: string, { isOk, message, probes, unable }: FindingView): readonly string[] {
  const word = (ok: boolean) => (ok ? styled("green", "ok") : styled("red", "failed"));
  const made = Object.entries(probes);
  const [only] = made;
  const unmade = Object.entries(unable).map(([probe, why]) => `  ${escapeText(probe)} could not make it: ${escapeText(why)}`);
  if (only !== undefined && made.length === 1)
    return [`${escapeText(id)} from ${escapeText(only[0])}: ${word(isOk)}: ${escapeText(message)}`, ...measured(only[1]), ...unmade];
  return [
    `${escapeText(id)}: ${word(isOk)}, by majority`,
    ...made.flatMap(([probe, one]) => [`  ${escapeText(probe)}: ${word(one.isOk)}: ${escapeText(one.message)}`, ...measured(one)]),
    ...unmade,
  ];
}

function measured({ performance }: { readonly performance?: string | undefined }): readonly string[] {
  return performance === undefined ? [] : [`    measured ${escapeText(performance)}`];
}

const beat = {
  summary: "call in for a heartbeat check",
  configure: (command) => command.argument("<check>", "its name, or NAME@TARGET"),
  async run(session, { args }) {
    const path = apiPath(["spaces", session.common.space ?? defaultSpace, "checks", args[0] ?? "", "heartbeat"]);
    const done = await session.api.call<{ check: string }>("POST", path, session.signal);
    if (session.out.json) session.out.value(done);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls, show, history, run, beat } } satisfies Noun;
